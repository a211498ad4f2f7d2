"""The events of conversations: parse, permit, do."""

from typing import Annotated, Any

from flask_socketio import join_room, leave_room
from pydantic import Field, StringConstraints

from chatapp.config import current_settings
from chatapp.conversations.names import parse_name
from chatapp.conversations.policy import permit_reading
from chatapp.conversations.queries import find_place
from chatapp.errors import ChatError
from chatapp.extensions import db
from chatapp.identity import current_person
from chatapp.presentation.messages import present_message
from chatapp.realtime.answers import Answer, Payload, answers
from chatapp.timeline import catch_up, post

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
def join_chat(payload: Joining) -> Answer:
    """Enter a conversation's broadcast, then tell what happened after the cursor.

    In this order nothing falls between the two. That the person may read is checked before the socket enters and again
    with the reading: a membership that ends meanwhile ends the listening too.
    """
    name = parse_name(payload.conversation)
    user_id = current_person().id
    permit_reading(*find_place(db.session(), name, user_id))
    db.session.close()
    join_room(name.wire_name)
    try:
        conversation = permit_reading(*find_place(db.session(), name, user_id))
    except ChatError:
        leave_room(name.wire_name)
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
def leave_chat(payload: Leaving) -> None:
    """Leave a conversation's broadcast."""
    leave_room(parse_name(payload.conversation).wire_name)


@answers("send_message", Sending)
def send_message(payload: Sending) -> dict[str, Any]:
    """Store a message; acknowledged when it is durable."""
    message = post(
        parse_name(payload.conversation),
        current_person().actor,
        content=payload.content,
        client_id=payload.client_id,
        limit=current_settings().message_limit,
    )
    return {"message": present_message(message)}
