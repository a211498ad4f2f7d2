"""Events of conversations: joining, leaving, posting, editing, deleting, reacting."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import StringConstraints

from chatapp.actors import Actor
from chatapp.conversations.kinds import kind_of
from chatapp.conversations.names import ConversationName, parse_name
from chatapp.conversations.people import Person
from chatapp.conversations.policy import authorize_reading, may_post
from chatapp.conversations.queries import find_access_of, is_public
from chatapp.extensions import db
from chatapp.presentation.messages import present_message
from chatapp.presentation.read_state import present_read_receipt
from chatapp.realtime.assistants import current_answer_broadcaster
from chatapp.realtime.channels import news_channel, posters_channel
from chatapp.realtime.handlers import Ack, Caller, EventNumber, Payload, handles
from chatapp.timeline import TimelineMessage, catch_up, delete, edit, list_pending, post, react
from chatapp.timeline.answers import find_running
from chatapp.timeline.read_state import list_read_receipts


class JoinPayload(Payload):
    """Payload of `join_chat`."""

    conversation: object
    after: EventNumber | None = None
    epoch: Annotated[str, StringConstraints(max_length=64)] | None = None


class LeavePayload(Payload):
    """Payload of `leave_chat`."""

    conversation: object


class SendPayload(Payload):
    """Payload of `send_message`. `timeline.post` validates content and client id."""

    conversation: object
    content: object = None
    client_id: object = None


class EditPayload(Payload):
    """Payload of `edit_message`."""

    conversation: object
    seq: EventNumber
    content: object = None


class DeletePayload(Payload):
    """Payload of `delete_message`."""

    conversation: object
    seq: EventNumber


class ReactPayload(Payload):
    """Payload of `react`."""

    conversation: object
    seq: EventNumber
    reaction: object = None
    on: bool = True


@handles("join_chat", JoinPayload)
def join_chat(caller: Caller, payload: JoinPayload) -> Ack:
    """Enter a conversation's channel, then return the events after the cursor.

    In this order no event is missed between the two. Authorization is checked before the socket enters, and again in
    the transaction that reads: a socket whose membership is revoked in between leaves the channel, as does one whose
    membership cannot be read.
    """
    name = parse_name(payload.conversation)
    authorize_reading(*find_access_of(db.session(), name, caller.user.actor))
    db.session.close()
    caller.enter(name.wire_name)
    try:
        access = find_access_of(db.session(), name, caller.user.actor)
        conversation = authorize_reading(*access)
    except Exception:
        caller.leave(name.wire_name)
        raise
    if may_post(*access):
        caller.enter(posters_channel(name))
    else:
        caller.leave(posters_channel(name))
    caller.leave(news_channel(name.wire_name))
    missed = catch_up(db.session(), conversation, after=payload.after, epoch=payload.epoch)
    caller.realtime.positions.start_at(name.wire_name, missed.head.last_event)
    return {
        "conversation": name.wire_name,
        "epoch": missed.epoch,
        "last_event": missed.head.last_event,
        "floor": missed.head.floor,
        "from": missed.start,
        "to": missed.end,
        "more": missed.has_more,
        "reset": missed.is_reset,
        "messages": [present_message(message) for message in missed.messages],
        "pending": [present_message(message) for message in list_pending(conversation)],
        "answers": _list_answers(name),
        "is_public": kind_of(conversation).has_assistant and is_public(db.session(), conversation.id),
        "readers": [present_read_receipt(receipt) for receipt in list_read_receipts(db.session(), conversation)],
    }


@handles("leave_chat", LeavePayload)
def leave_chat(caller: Caller, payload: LeavePayload) -> None:
    """Leave a conversation's channel; a member's socket receives its news from then on.

    The membership is read again after entering the channel of the news, as in `join_chat`.
    """
    name = parse_name(payload.conversation)
    channel = news_channel(name.wire_name)
    caller.leave(name.wire_name)
    if not _is_member(name, caller.user.actor):
        return
    caller.enter(channel)
    try:
        is_member = _is_member(name, caller.user.actor)
    except Exception:
        caller.leave(channel)
        raise
    if not is_member:
        caller.leave(channel)


def _is_member(name: ConversationName, actor: Actor) -> bool:
    is_member = find_access_of(db.session(), name, actor).membership is not None
    db.session.close()  # The next read gets a new snapshot.
    return is_member


@handles("send_message", SendPayload)
def send_message(caller: Caller, payload: SendPayload) -> Ack:
    """Post a message. It is acknowledged when it is durable."""
    name = parse_name(payload.conversation)
    message = post(
        name,
        caller.user.actor,
        content=payload.content,
        client_id=payload.client_id,
        authorized_sender=_find_authorized_sender(caller, name),
    )
    return _present(message)


@handles("edit_message", EditPayload)
def edit_message(caller: Caller, payload: EditPayload) -> Ack:
    """Replace a message's content."""
    name = parse_name(payload.conversation)
    return _present(edit(name, caller.user.actor, payload.seq, content=payload.content))


@handles("delete_message", DeletePayload)
def delete_message(caller: Caller, payload: DeletePayload) -> Ack:
    """Delete a message's content."""
    return _present(delete(parse_name(payload.conversation), caller.user.actor, payload.seq))


@handles("react", ReactPayload)
def react_to_message(caller: Caller, payload: ReactPayload) -> Ack:
    """Add a reaction to a message, or remove one's own."""
    name = parse_name(payload.conversation)
    return _present(react(name, caller.user.actor, payload.seq, payload.reaction, on=payload.on))


def _list_answers(name: ConversationName) -> list[Mapping[str, Any]]:
    """Return the growing answers, without those that have ended according to the database."""
    streams = current_answer_broadcaster().present_streams(name.wire_name)
    if not streams:
        return []
    running = find_running(db.session(), name.id, [stream["seq"] for stream in streams])
    return [stream for stream in streams if stream["seq"] in running]


def _present(message: TimelineMessage) -> Ack:
    return {"message": present_message(message)}


def _find_authorized_sender(caller: Caller, name: ConversationName) -> Person | None:
    """Return the caller if their socket was authorized to post when it joined. Uses no database."""
    is_authorized = caller.has_entered(name.wire_name) and caller.has_entered(posters_channel(name))
    return caller.user.as_person() if is_authorized else None
