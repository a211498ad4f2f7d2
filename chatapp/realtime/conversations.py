"""The events of conversations: parse, permit, do."""

from typing import Annotated

from pydantic import StringConstraints

from chatapp.conversations.names import ConversationName, parse_name
from chatapp.conversations.people import Person
from chatapp.conversations.policy import authorize_reading, may_post
from chatapp.conversations.queries import find_access_of
from chatapp.errors import ChatError
from chatapp.extensions import db
from chatapp.presentation.messages import present_message
from chatapp.presentation.read_state import present_read_receipt
from chatapp.realtime.assistants import current_answer_broadcaster
from chatapp.realtime.broadcaster import begin_telling
from chatapp.realtime.handlers import Ack, Caller, EventNumber, Payload, handles
from chatapp.realtime.news import news_channel
from chatapp.timeline import TimelineMessage, catch_up, delete, edit, list_pending, post, react
from chatapp.timeline.read_state import list_read_receipts


class Joining(Payload):
    """Payload of `join_chat`."""

    conversation: object
    after: EventNumber | None = None
    epoch: Annotated[str, StringConstraints(max_length=64)] | None = None


class Leaving(Payload):
    """Payload of `leave_chat`."""

    conversation: object


class Sending(Payload):
    """Payload of `send_message`. What content may be is the core's to say."""

    conversation: object
    content: object = None
    client_id: object = None


@handles("join_chat", Joining)
def join_chat(caller: Caller, payload: Joining) -> Ack:
    """Enter a conversation's broadcast, then tell what happened after the cursor.

    In this order nothing falls between the two. That the person may read is checked before the socket enters and again
    with the reading: a membership that ends meanwhile ends the listening too.
    """
    name = parse_name(payload.conversation)
    authorize_reading(*find_access_of(db.session(), name, caller.person.actor))
    db.session.close()
    caller.enter(name.wire_name)
    try:
        place = find_access_of(db.session(), name, caller.person.actor)
        conversation = authorize_reading(*place)
    except ChatError:
        caller.leave(name.wire_name)
        raise
    if may_post(*place):
        caller.enter(_writers(name))
    else:
        caller.leave(_writers(name))
    caller.leave(news_channel(name.wire_name))
    missed = catch_up(db.session(), conversation, after=payload.after, epoch=payload.epoch)
    begin_telling(name.wire_name, missed.head.last_event)
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
        "answers": current_answer_broadcaster().present_streams(name.wire_name),
        "readers": [present_read_receipt(reader) for reader in list_read_receipts(db.session(), conversation)],
    }


@handles("leave_chat", Leaving)
def leave_chat(caller: Caller, payload: Leaving) -> None:
    """Leave a conversation's broadcast; a member still hears that there is something new."""
    name = parse_name(payload.conversation)
    caller.leave(name.wire_name)
    if find_access_of(db.session(), name, caller.person.actor).membership is not None:
        caller.enter(news_channel(name.wire_name))


@handles("send_message", Sending)
def send_message(caller: Caller, payload: Sending) -> Ack:
    """Store a message; acknowledged when it is durable."""
    name = parse_name(payload.conversation)
    message = post(
        name,
        caller.person.actor,
        content=payload.content,
        client_id=payload.client_id,
        admitted=_admitted(caller, name),
    )
    return {"message": present_message(message)}


class Editing(Payload):
    """Payload of `edit_message`."""

    conversation: object
    seq: EventNumber
    content: object = None


class Deleting(Payload):
    """Payload of `delete_message`."""

    conversation: object
    seq: EventNumber


class Reacting(Payload):
    """Payload of `react`."""

    conversation: object
    seq: EventNumber
    reaction: object = None
    on: bool = True


@handles("edit_message", Editing)
def edit_message(caller: Caller, payload: Editing) -> Ack:
    """Give a message another content."""
    name = parse_name(payload.conversation)
    return _changed(edit(name, caller.person.actor, payload.seq, content=payload.content))


@handles("delete_message", Deleting)
def delete_message(caller: Caller, payload: Deleting) -> Ack:
    """Take a message's content away."""
    return _changed(delete(parse_name(payload.conversation), caller.person.actor, payload.seq))


@handles("react", Reacting)
def react_to_message(caller: Caller, payload: Reacting) -> Ack:
    """Put an emoji under a message, or take one's own back."""
    name = parse_name(payload.conversation)
    return _changed(react(name, caller.person.actor, payload.seq, payload.reaction, on=payload.on))


def _changed(message: TimelineMessage) -> Ack:
    return {"message": present_message(message)}


def _writers(name: ConversationName) -> str:
    """Name the channel of sockets that were let in to write when they joined. Nothing is emitted there."""
    return f"writers:{name.wire_name}"


def _admitted(caller: Caller, name: ConversationName) -> Person | None:
    """Give the sender as known here, if the socket was let in to write: then no database need be asked."""
    is_in = caller.has_entered(name.wire_name) and caller.has_entered(_writers(name))
    return caller.person.as_person() if is_in else None
