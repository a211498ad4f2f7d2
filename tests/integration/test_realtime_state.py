"""Two applications in one process do not share realtime state."""

from collections.abc import Iterator

import pytest
from flask import Flask

from chatapp import create_app
from chatapp.concurrency.supervision import Supervisor
from chatapp.config import Settings
from chatapp.conversations.refs import GENERAL
from chatapp.extensions import db
from chatapp.identity import AuthenticatedUser
from chatapp.realtime.application import get_realtime
from chatapp.realtime.typing import Typing, typed
from chatapp.socket_engine import init_engine
from tests.harness.servers import SqliteTemplate

ANA = AuthenticatedUser(id=1, username="ana", name="Ana", is_admin=True, login_session_id=1, token="token")


@pytest.fixture
def applications(sqlite_template: SqliteTemplate) -> Iterator[tuple[Flask, Flask]]:
    first, second = (create_app(Settings(data_dir=sqlite_template.copy(), log_level="WARNING")) for _ in range(2))
    yield first, second
    for app in (first, second):
        with app.app_context():
            db.engine.dispose()


def test_each_application_has_its_own_socket_server(applications: tuple[Flask, Flask]) -> None:
    first, second = map(get_realtime, applications)
    assert first.server is not second.server
    assert first.server.eio is not second.server.eio
    assert first.server.manager is not second.server.manager
    assert first.server.packet_class is not second.server.packet_class
    assert first.engine.connection_guard is not second.engine.connection_guard
    assert [app.extensions["socketio"].server for app in applications] == [first.server, second.server]


def test_a_socket_of_one_application_is_unknown_to_the_other(applications: tuple[Flask, Flask]) -> None:
    first, second = map(get_realtime, applications)
    first.server.manager.connect("engine-id", "/")
    (sid,) = (sid for sid, _ in first.server.manager.get_participants("/", None))
    first.connections.add(sid, ANA)
    first.server.enter_room(sid, "general")
    assert first.connections.list_listening_users("general") == [ANA]
    assert second.connections.find_user(sid) is None
    assert list(second.connections.list_users()) == []
    assert second.connections.list_listeners("general") == []
    assert second.connections.list_conversations() == []


def test_a_socket_that_closes_meanwhile_enters_no_channel(applications: tuple[Flask, Flask]) -> None:
    realtime = get_realtime(applications[0])
    realtime.server.manager.connect("open", "/")
    closed = realtime.server.manager.connect("closed", "/")
    realtime.server.manager.disconnect(closed, "/")
    realtime.connections.enter(closed, "general")
    assert realtime.connections.list_listeners("general") == []
    assert realtime.connections.list_conversations() == [], "the channel was created"
    assert realtime.connections.list_channels(closed) == set()


def test_applications_do_not_share_presence_typing_and_positions(applications: tuple[Flask, Flask]) -> None:
    first, second = map(get_realtime, applications)
    first.presence.add("a socket", ANA.id)
    assert first.presence.local_states() == {ANA.id: "online"}
    assert second.presence.local_states() == {}
    assert first.typing_throttle.is_due(ANA.id, GENERAL)
    assert second.typing_throttle.is_due(ANA.id, GENERAL)
    assert first.positions.start_at("general", 5) == 5
    assert second.positions.start_at("general", 7) == 7
    received: list[object] = []
    second.signals.connect(typed, received.append)
    first.signals.send(typed, Typing(GENERAL, ANA.as_person()))
    assert received == []


def test_each_application_accepts_only_its_own_events(applications: tuple[Flask, Flask]) -> None:
    other = Flask("other")
    settings: Settings = applications[0].extensions["chatapp.settings"]
    engine = init_engine(other, settings, Supervisor(), event_names={"vote"}, on_connected=lambda _sid: None)
    assert engine.server.packet_class.event_names == {"vote"}
    assert "send_message" in get_realtime(applications[0]).server.packet_class.event_names
