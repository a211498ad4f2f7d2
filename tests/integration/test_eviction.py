"""Eviction of sockets by a process that receives no signals of the process that revokes: two applications, one file."""

from collections.abc import Iterator

import pytest
from flask import Flask

from chatapp import create_app
from chatapp.accounts.login_sessions import create_login_session
from chatapp.accounts.service import create_owner, create_user
from chatapp.actors import Actor
from chatapp.config import Settings
from chatapp.conversations.refs import room_ref
from chatapp.conversations.service import create_room
from chatapp.conversations.signals import MembershipRevoked, membership_revoked
from chatapp.extensions import db
from chatapp.identity import AuthenticatedUser
from chatapp.realtime import eviction
from chatapp.realtime.application import get_realtime
from chatapp.realtime.channels import user_channel
from chatapp.realtime.eviction import Evictor
from chatapp.rooms.service import invite, remove
from chatapp.storage import current_writer, write
from chatapp.timeline.epoch import get_epoch, renew_epoch
from chatapp.timeline.new_events import read_new_events
from chatapp.timeline.signals import epoch_renewed
from tests.harness.servers import SqliteTemplate

PASSWORD = "a good password"


class Installation:
    """Ana's room in two processes: Bob and Eve listen in the first one, `other` revokes."""

    def __init__(self, app: Flask, other: Flask) -> None:
        self.app = app
        self._other = other
        self.realtime = get_realtime(app)
        with app.app_context():
            self.ana = Actor(create_owner("ana", "Ana", PASSWORD))
            self.room_id = create_room(self.ana, "Plans", "", "private")
            self.room = f"room_{self.room_id}"
            self.bob, self.eve = map(self._connect, ("bob", "eve"))
        self.checks_before_signals = False
        """Whether revocations are checked when one of this process is committed and its signal is not handled yet."""
        self.realtime.signals.connect(membership_revoked, self._check_before_signal)
        self.evictor = Evictor(app, self.realtime)
        self.evictor.check_revocations()

    def _connect(self, username: str) -> AuthenticatedUser:
        user_id = create_user(username, username.title(), PASSWORD, is_admin=False)
        create_login_session(user_id)
        invite(self.ana, self.room_id, [username])
        login_session_id = user_id - self.ana.user_id
        user = AuthenticatedUser(user_id, username, username.title(), False, login_session_id, "token")
        sid = self.realtime.server.manager.connect(username, "/")
        self.realtime.connections.add(sid, user)
        for channel in (user_channel(user_id), self.room):
            self.realtime.connections.enter(sid, channel)
        return user

    @property
    def listeners(self) -> list[str]:
        """The usernames of the users that receive the events of the room."""
        return sorted(user.username for user in self.realtime.connections.list_listening_users(self.room))

    def remove(self, user: AuthenticatedUser, *, by_other: bool = True) -> None:
        """Remove a member from the room, by the other process or by the first one."""
        with (self._other if by_other else self.app).app_context():
            remove(self.ana, self.room_id, user.id)
            write(lambda _transaction: None)  # The signals of a change are sent before the next one is committed.

    def renew_epoch(self) -> str:
        """Renew the epoch by the other process, and return the new one."""
        with self._other.app_context():
            renew_epoch()
            return get_epoch(db.session())

    def evict_before_event(self) -> None:
        """Evict as the first process does before it broadcasts an event of the room."""
        with self.app.app_context():
            last_revocation = read_new_events(db.session(), {}).last_revocation
        self.evictor.evict_from([self.room], last_revocation)

    def _check_before_signal(self, _revoked: MembershipRevoked) -> None:
        if self.checks_before_signals:
            self.evictor.check_revocations()


@pytest.fixture
def installation(sqlite_template: SqliteTemplate) -> Iterator[Installation]:
    data_dir = sqlite_template.copy()
    apps = [create_app(Settings(data_dir=data_dir, log_level="WARNING")) for _ in range(2)]
    yield Installation(*apps)
    for app in apps:
        with app.app_context():
            current_writer().stop(5)
            db.engine.dispose()


def test_a_former_member_is_evicted_before_the_next_event_without_a_signal(installation: Installation) -> None:
    assert installation.listeners == ["bob", "eve"]
    installation.remove(installation.bob)
    installation.evict_before_event()
    assert installation.listeners == ["eve"]
    installation.evictor.check_revocations()
    installation.remove(installation.eve)
    installation.evict_before_event()
    assert installation.listeners == []


def test_listeners_are_authorized_again_only_after_a_revocation(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise AssertionError("the listeners were authorized again")

    with monkeypatch.context() as patch:
        patch.setattr(eviction, "find_active_actors", fail)
        patch.setattr(eviction, "find_accesses", fail)
        installation.evict_before_event()
        installation.remove(installation.bob, by_other=False)
        assert installation.listeners == ["eve"]
        installation.evict_before_event()
        installation.evictor.check_revocations()
    installation.remove(installation.eve)
    installation.evict_before_event()
    assert installation.listeners == []


def test_a_revocation_by_another_process_is_found_though_one_of_this_process_was_counted_before_its_signal(
    installation: Installation,
) -> None:
    installation.checks_before_signals = True
    installation.remove(installation.bob, by_other=False)
    installation.remove(installation.eve)
    installation.evictor.check_revocations()
    assert installation.listeners == []


def test_who_joins_during_a_check_is_admitted_in_an_outage_after_the_next_one(installation: Installation) -> None:
    realtime, room, eve = installation.realtime, room_ref(installation.room_id), installation.eve
    (sid,) = realtime.connections.list_sids(user_channel(eve.id))
    realtime.connections.leave(sid, installation.room)
    revision = realtime.fallback.revision
    installation.remove(installation.bob)
    installation.evictor.check_revocations()
    realtime.connections.enter(sid, installation.room)
    realtime.fallback.remember_access(eve.id, room, revision, may_post=True)
    assert realtime.fallback.find_access(eve.id, room) is None, "it was read before the revocation"
    installation.evictor.check_revocations()
    assert realtime.fallback.find_access(eve.id, room) is not None


def test_a_process_whose_first_check_follows_a_join_and_a_new_epoch_sends_that_epoch(
    installation: Installation,
) -> None:
    """The database did not respond when the process started, and was restored before that."""
    evictor, epochs = Evictor(installation.app, installation.realtime), list[str]()
    installation.realtime.signals.connect(epoch_renewed, epochs.append)
    with installation.app.app_context():
        installation.realtime.positions.check_epoch(get_epoch(db.session()))
    epoch = installation.renew_epoch()
    evictor.check_revocations()
    assert epochs == [epoch]
    installation.realtime.positions.restart(epoch, {})
    evictor.check_revocations()
    assert epochs == [epoch], "once the positions are of the new epoch, it is not sent again"
