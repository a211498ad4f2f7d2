"""Revocations and failures at a moment that a test with real sockets cannot hit: between two steps of one operation."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete
from sqlalchemy.exc import OperationalError

from chatapp.accounts.service import create_login_session, create_owner, revoke_login_session
from chatapp.accounts.signals import login_sessions_revoked
from chatapp.actors import Actor
from chatapp.config import current_settings
from chatapp.conversations.names import parse_name
from chatapp.conversations.queries import find_access_of
from chatapp.conversations.service import create_room
from chatapp.conversations.signals import MembershipRevoked, membership_revoked
from chatapp.errors import NotFound, SignedOut
from chatapp.identity import AuthenticatedUser
from chatapp.models import Conversation, IncomingWebhook, LoginSession, Membership, OutgoingWebhook
from chatapp.realtime import conversations
from chatapp.realtime.assistants import EXTENSION as ANSWER_BROADCASTER
from chatapp.realtime.assistants import AnswerBroadcaster, Delta
from chatapp.realtime.channels import login_session_channel, news_channel, user_channel
from chatapp.realtime.conversations import JoinPayload, LeavePayload, join_chat, leave_chat
from chatapp.realtime.eviction import Evictor
from chatapp.realtime.handlers import Caller
from chatapp.realtime.state import get_realtime
from chatapp.revocations import revoke
from chatapp.rooms import service as rooms
from chatapp.signals import Signals
from chatapp.storage import Transaction, Writer, current_writer, write
from chatapp.supervision import Supervisor
from chatapp.timeline import create_writer
from chatapp.timeline.messages import insert_message
from chatapp.webhooks import service as webhooks


@pytest.fixture
def caller(app: Flask) -> Iterator[Caller]:
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
    yield Caller(user, sid, realtime)
    current_writer().stop(5)


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
        access = find_access_of(*arguments)
        monkeypatch.setattr(conversations, "find_access_of", find_access_of)
        remove_member(room)
        return access

    monkeypatch.setattr(conversations, "find_access_of", remove_after_reading)
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
        return find_access_of(*arguments)

    monkeypatch.setattr(conversations, "find_access_of", fail_the_second_time)
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
        conversation = transaction.session.get_one(Conversation, parse_name(room).id)
        for state in ("streaming", "complete"):
            insert_message(transaction, conversation, sender_type="assistant", content="", state=state)

    write(add_answers)
    app.extensions[ANSWER_BROADCASTER] = answers = AnswerBroadcaster(caller.realtime.server, caller.realtime.signals)
    for seq in (1, 2):
        answers.receive(Delta(room, seq, 1, 0, ["a part"], is_over=False))
    ack = join_chat(caller, JoinPayload(conversation=room))
    assert ack is not None
    assert [answer["seq"] for answer in ack["answers"]] == [1]


def remove_member(room: str) -> None:
    room_id = parse_name(room).id

    def change(transaction: Transaction) -> None:
        transaction.session.execute(delete(Membership).where(Membership.conversation_id == room_id))
        revoke(transaction, membership_revoked, MembershipRevoked(room, 1))

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
