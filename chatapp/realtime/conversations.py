"""The events of conversations: parse, permit, do."""

from typing import Annotated

from pydantic import Field, StringConstraints

from chatapp.config import current_settings
from chatapp.conversations.names import ConversationName, parse_name
from chatapp.conversations.policy import permit_reading
from chatapp.conversations.queries import Place, find_place, permit_signed_in
from chatapp.errors import ChatError
from chatapp.extensions import db
from chatapp.presentation.messages import present_message
from chatapp.realtime.answers import Answer, Caller, Payload, answers
from chatapp.timeline import Sender, catch_up, post

EventNumber = Annotated[int, Field(ge=0, lt=2**63)]


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


@answers("join_chat", Joining)
def join_chat(caller: Caller, payload: Joining) -> Answer:
    """Enter a conversation's broadcast, then tell what happened after the cursor.

    In this order nothing falls between the two. That the person may read is checked before the socket enters and again
    with the reading: a membership that ends meanwhile ends the listening too.
    """
    name = parse_name(payload.conversation)
    permit_reading(*_place(caller, name))
    db.session.close()
    caller.enter(name.wire_name)
    try:
        conversation = permit_reading(*_place(caller, name))
    except ChatError:
        caller.leave(name.wire_name)
        raise
    missed = catch_up(db.session(), conversation, after=payload.after, epoch=payload.epoch)
    return {
        "conversation": missed.head.conversation,
        "epoch": missed.epoch,
        "last_event": missed.head.last_event,
        "floor": missed.head.floor,
        "from": missed.start,
        "to": missed.end,
        "more": missed.has_more,
        "reset": missed.is_reset,
        "messages": [present_message(message) for message in missed.messages],
    }


@answers("leave_chat", Leaving)
def leave_chat(caller: Caller, payload: Leaving) -> None:
    """Leave a conversation's broadcast."""
    caller.leave(parse_name(payload.conversation).wire_name)


@answers("send_message", Sending)
def send_message(caller: Caller, payload: Sending) -> Answer:
    """Store a message; acknowledged when it is durable."""
    name = parse_name(payload.conversation)
    message = post(
        name,
        caller.person.actor,
        content=payload.content,
        client_id=payload.client_id,
        limit=current_settings().message_limit,
        admitted=_admitted(caller, name),
    )
    return {"message": present_message(message)}


def _admitted(caller: Caller, name: ConversationName) -> Sender | None:
    """Give the sender as known here, if the socket was let into the conversation: then no database need be asked."""
    person = caller.person
    return Sender(person.id, person.username, person.name) if caller.has_entered(name.wire_name) else None


def _place(caller: Caller, name: ConversationName) -> Place:
    permit_signed_in(db.session(), caller.person.actor)
    return find_place(db.session(), name, caller.person.id)
