"""Revocations and failures at a moment that a test with real sockets cannot hit: between two steps of one operation."""

from collections.abc import Callable
from contextvars import Context
from typing import Any

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from socketio.exceptions import ConnectionRefusedError as Refused
from sqlalchemy import delete, func, select
from sqlalchemy.exc import OperationalError
from werkzeug.test import EnvironBuilder

from chatapp.accounts.login_sessions import authenticate, create_login_session, revoke_login_session
from chatapp.accounts.queries import find_logins
from chatapp.accounts.service import (
    ban,
    change_display_name,
    change_password,
    change_read_receipts,
    create_owner,
    create_user,
    unban,
)
from chatapp.accounts.signals import login_sessions_revoked
from chatapp.actors import Actor
from chatapp.concurrency.supervision import Supervisor
from chatapp.config import current_settings
from chatapp.conversations.queries import find_reader_access, list_wire_names
from chatapp.conversations.refs import parse_ref
from chatapp.conversations.service import create_room
from chatapp.conversations.signals import MembershipRevoked, membership_revoked
from chatapp.errors import Conflict, Forbidden, NotFound, SignedOut
from chatapp.extensions import db
from chatapp.identity import AuthenticatedUser
from chatapp.models import Conversation, IncomingWebhook, LoginSession, Membership, OutgoingWebhook
from chatapp.passwords.attempts import make_attempt_key
from chatapp.realtime import conversations, handshake, news
from chatapp.realtime.application import Realtime, get_realtime
from chatapp.realtime.assistants import EXTENSION as ANSWER_BROADCASTER
from chatapp.realtime.assistants import AnswerBroadcaster, Delta
from chatapp.realtime.channels import login_session_channel, news_channel, user_channel
from chatapp.realtime.conversations import JoinPayload, LeavePayload, join_chat, leave_chat
from chatapp.realtime.eviction import Evictor
from chatapp.realtime.handlers import Caller
from chatapp.realtime.handshake import Handshake
from chatapp.realtime.news import update_news_channels
from chatapp.revocations import revoke
from chatapp.rooms import service as rooms
from chatapp.signals import Signals
from chatapp.storage import Transaction, Writer, write
from chatapp.timeline import create_writer
from chatapp.timeline.messages import insert_message
from chatapp.web.security import SESSION_COOKIE
from chatapp.webhooks import service as webhooks


@pytest.fixture
def caller(app: Flask) -> Caller:
    """The socket of a user with two login sessions. It belongs to the second one."""
    create_owner("ana", "Ana", "a good password")
    for _ in range(2):
        create_login_session(1)
    realtime = get_realtime(app)
    realtime.server.manager.connect("engine-id", "/")
    ((sid, _),) = realtime.server.manager.get_participants("/", None)
    user = AuthenticatedUser(id=1, username="ana", name="Ana", is_admin=True, login_session_id=2, token="token")
    realtime.connections.add(sid, user)
    for channel in (user_channel(1), login_session_channel(2)):
        realtime.server.enter_room(sid, channel)
    return Caller(user, sid, realtime)


@pytest.fixture
def room(caller: Caller) -> str:
    """A private room of the user."""
    return f"room_{create_room(caller.user.actor, name='Plans', topic='', visibility='private')}"


def test_a_check_between_a_commit_and_its_signal_hides_no_revocation_by_another_process(
    app: Flask, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []
    monkeypatch.setattr(caller.realtime.server, "disconnect", closed.append)
    evictors: list[Evictor] = []
    # Receivers are called in the order of their connection: this one comes before those of the evictor.
    caller.realtime.signals.connect(login_sessions_revoked, lambda _: evictors[0].check_revocations())
    evictors.append(Evictor(app, caller.realtime))
    evictors[0].check_revocations()

    revoke_login_session(Actor(1, 1))
    assert closed == []
    revoke_as_another_process(2)
    evictors[0].check_revocations()

    assert closed == [caller.sid]


def test_a_revocation_by_this_process_causes_no_check_of_all_sockets(
    app: Flask, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    evictor = Evictor(app, caller.realtime)
    evictor.check_revocations()
    monkeypatch.setattr(caller.realtime.connections, "list_users", lambda: pytest.fail("all sockets are checked"))
    for _ in range(3):
        revoke_login_session(Actor(1, 1))
        evictor.check_revocations()


def revoke_as_another_process(login_session_id: int) -> None:
    """Revoke a login session with a writer whose signals do not reach this application."""

    def change(transaction: Transaction) -> None:
        transaction.session.execute(delete(LoginSession).where(LoginSession.id == login_session_id))
        revoke(transaction, login_sessions_revoked, [login_session_id])

    writer: Writer = create_writer(current_settings(), Supervisor(), Signals())
    writer.submit(change)
    writer.stop(5)


def test_a_member_who_is_removed_while_leaving_the_page_gets_no_news(
    app: Flask, caller: Caller, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Evictor(app, caller.realtime)
    caller.enter(room)

    def remove_after_reading(*arguments: Any) -> Any:
        access = find_reader_access(*arguments)
        monkeypatch.setattr(conversations, "find_reader_access", find_reader_access)
        remove_member(room)
        return access

    monkeypatch.setattr(conversations, "find_reader_access", remove_after_reading)
    leave_chat(caller, LeavePayload(conversation=room))

    assert not caller.has_entered(room)
    assert not caller.has_entered(news_channel(room))


def test_a_member_who_leaves_the_page_gets_news(caller: Caller, room: str) -> None:
    caller.enter(room)
    leave_chat(caller, LeavePayload(conversation=room))
    assert not caller.has_entered(room)
    assert caller.has_entered(news_channel(room))


@pytest.mark.parametrize("event", [join_chat, leave_chat])
def test_a_socket_whose_permission_cannot_be_read_again_stays_outside(
    caller: Caller, room: str, event: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []

    def fail_the_second_time(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            raise OperationalError("SELECT", None, Exception("connection lost"))
        return find_reader_access(*arguments)

    monkeypatch.setattr(conversations, "find_reader_access", fail_the_second_time)
    payload = JoinPayload(conversation=room) if event is join_chat else LeavePayload(conversation=room)
    with pytest.raises(OperationalError):
        event(caller, payload)
    assert not caller.has_entered(room)
    assert not caller.has_entered(news_channel(room))


def test_nobody_enters_the_channel_of_news_of_a_room_that_they_are_not_in(caller: Caller, room: str) -> None:
    remove_member(room)
    leave_chat(caller, LeavePayload(conversation=room))
    assert not caller.has_entered(news_channel(room))
    with pytest.raises(NotFound):
        join_chat(caller, JoinPayload(conversation=room))


def test_a_socket_that_joins_gets_only_the_answers_that_have_not_ended(app: Flask, caller: Caller, room: str) -> None:
    def add_answers(transaction: Transaction) -> None:
        conversation = transaction.session.get_one(Conversation, parse_ref(room).id)
        for state in ("streaming", "complete"):
            insert_message(transaction, conversation, sender_type="assistant", content="", state=state)

    write(add_answers)
    app.extensions[ANSWER_BROADCASTER] = answers = AnswerBroadcaster(
        caller.realtime.server,
        caller.realtime.signals,
        caller.realtime.connections.count_sockets,
        caller.realtime.presenter.render_answer,
    )
    for seq in (1, 2):
        answers.receive(Delta(parse_ref(room), seq, 1, 0, ["a part"], is_over=False))
    ack = join_chat(caller, JoinPayload(conversation=room))
    assert ack is not None
    assert [answer["seq"] for answer in ack["answers"]] == [1]


def remove_member(room: str) -> None:
    room_id = parse_ref(room).id

    def change(transaction: Transaction) -> None:
        transaction.session.execute(delete(Membership).where(Membership.conversation_id == room_id))
        revoke(transaction, membership_revoked, MembershipRevoked(parse_ref(room), 1))

    write(change)


def test_a_login_revoked_during_a_request_changes_neither_rooms_nor_webhooks(caller: Caller, room: str) -> None:
    actor, room_id = caller.user.actor, int(room.removeprefix("room_"))
    revoke_as_another_process(2)
    changes: list[Callable[[], object]] = [
        lambda: rooms.update_room(actor, room_id, "Renamed", "", "open"),
        lambda: rooms.join_room(actor, room_id),
        lambda: rooms.leave_room(actor, room_id),
        lambda: rooms.invite(actor, room_id, "ana"),
        lambda: rooms.remove(actor, room_id, 1),
        lambda: rooms.archive(actor, room_id),
        lambda: rooms.restore(actor, room_id),
        lambda: webhooks.add_incoming(actor, room_id, "robot"),
        lambda: webhooks.remove(actor, room_id, OutgoingWebhook, 1),
        lambda: webhooks.remove(actor, room_id, IncomingWebhook, 1),
        lambda: webhooks.adopt(actor, room_id, IncomingWebhook, 1),
    ]
    for change in changes:
        with pytest.raises(SignedOut):
            change()


class Browser:
    """A browser in which Bob is signed in, and in which something may happen while its socket is authenticated."""

    def __init__(self, app: Flask, realtime: Realtime, monkeypatch: pytest.MonkeyPatch) -> None:
        self._app, self._realtime, self._monkeypatch = app, realtime, monkeypatch
        self.user_id = create_user("bob", "Bob", "a good password", is_admin=False)
        self.token = create_login_session(self.user_id)
        interface = app.session_interface
        assert isinstance(interface, SecureCookieSessionInterface)
        serializer = interface.get_signing_serializer(app)
        assert serializer is not None
        cookie = f"{SESSION_COOKIE}={serializer.dumps({'_user_id': self.token})}"
        self._environ = EnvironBuilder("/", environ_overrides={"HTTP_COOKIE": cookie}).get_environ()

    def connect(self, meanwhile: Callable[[], object]) -> str:
        """Connect a socket and return its id. `meanwhile` is called once its user is read."""

        def find_logins_and_continue(*arguments: Any) -> Any:
            logins = find_logins(*arguments)
            self._monkeypatch.setattr(handshake, "find_logins", find_logins)
            meanwhile()
            return logins

        self._monkeypatch.setattr(handshake, "find_logins", find_logins_and_continue)
        sid = str(self._realtime.server.manager.connect(f"engine-id of {self.token}", "/"))
        # Like the server, outside of the application context of the test.
        Context().run(Handshake(self._app, self._realtime).connect, sid, self._environ, None)
        return sid


@pytest.fixture
def browser(app: Flask, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> Browser:
    return Browser(app, caller.realtime, monkeypatch)


@pytest.mark.parametrize("is_by_other", [False, True], ids=["this_process", "another_process"])
def test_a_socket_that_connects_while_its_login_is_revoked_is_refused(
    app: Flask, caller: Caller, browser: Browser, *, is_by_other: bool
) -> None:
    evictor = Evictor(app, caller.realtime)
    evictor.check_revocations()
    login_session_id = caller.user.login_session_id + 1

    def revoke_login() -> None:
        if not is_by_other:
            revoke_login_session(Actor(browser.user_id, login_session_id))
            return
        revoke_as_another_process(login_session_id)
        evictor.check_revocations()  # It finds no socket.

    with pytest.raises(Refused, match="signed_out"):
        browser.connect(revoke_login)
    assert [user.username for user in caller.realtime.connections.list_users()] == ["ana"]
    evictor.check_revocations()
    assert caller.realtime.fallback.find_login(browser.token) is None


def test_a_socket_connects_while_another_login_is_revoked(app: Flask, caller: Caller, browser: Browser) -> None:
    Evictor(app, caller.realtime)
    sid = browser.connect(lambda: revoke_login_session(Actor(1, 1)))
    assert caller.realtime.connections.find_user(sid) is not None


def test_a_member_who_is_removed_while_the_socket_connects_gets_no_news(
    app: Flask, caller: Caller, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Evictor(app, caller.realtime)

    def remove_after_reading(*arguments: Any) -> Any:
        names = list_wire_names(*arguments)
        monkeypatch.setattr(news, "list_wire_names", list_wire_names)
        remove_member(room)
        return names

    update_news_channels(caller.realtime, 1, [caller.sid])
    assert caller.has_entered(news_channel(room))
    caller.leave(news_channel(room))
    monkeypatch.setattr(news, "list_wire_names", remove_after_reading)
    update_news_channels(caller.realtime, 1, [caller.sid])
    assert not caller.has_entered(news_channel(room))


def test_a_sign_in_or_sign_up_before_a_ban_does_not_revive_with_the_unban(caller: Caller) -> None:
    user_id = create_user("bob", "Bob", "a good password", is_admin=False)
    ban(None, "bob")
    with pytest.raises(Forbidden, match="Wrong username or password"):
        create_login_session(user_id)
    unban(None, "bob")
    assert count_logins(user_id) == 0


def test_a_sign_in_with_the_old_password_does_not_outlast_its_change(caller: Caller) -> None:
    verified = authenticate("ana", "a good password", make_attempt_key("ana", None))
    assert verified is not None
    change_password(caller.user.actor, "a good password", "another fine password")
    with pytest.raises(Forbidden):
        create_login_session(verified.user_id, verified=verified)
    assert count_logins(verified.user_id) == 1, "the one in which the password was changed"


def test_a_login_revoked_during_a_request_changes_no_account(caller: Caller) -> None:
    revoke_as_another_process(2)
    changes: list[Callable[[], object]] = [
        lambda: change_password(caller.user.actor, "a good password", "another fine password"),
        lambda: change_display_name(caller.user.actor, "Renamed"),
        lambda: change_read_receipts(caller.user.actor, are_sent=False),
    ]
    for change in changes:
        with pytest.raises(SignedOut):
            change()
    assert authenticate("ana", "a good password", make_attempt_key("ana", None))


def count_logins(user_id: int) -> int:
    return db.session.scalars(select(func.count()).where(LoginSession.user_id == user_id)).one()


def test_a_command_that_another_process_adds_at_the_same_time_is_taken(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = caller.user.actor
    room_id = create_room(actor, "Ops", "", "open")
    webhooks.add_outgoing(actor, room_id, "deploy", "https://example.com/", "release")
    webhooks.add_outgoing(actor, room_id, "other", "https://example.com/")
    # The other process has not committed yet.
    monkeypatch.setattr(webhooks, "_check_free_command", lambda *_: None)
    with pytest.raises(Conflict, match="is taken"):
        webhooks.add_outgoing(actor, room_id, "third", "https://example.com/", "release")
    with pytest.raises(Conflict, match="is taken"):
        webhooks.change_command(actor, room_id, 2, "release")
    webhooks.change_command(actor, room_id, 2, "rollback")
    commands = select(OutgoingWebhook.command).order_by(OutgoingWebhook.id)
    assert db.session.scalars(commands).all() == ["release", "rollback"]
