"""Events of saved messages, and what a person's other devices show of them."""

from typing import Any

from chatapp.conversations.policy import authorize_reading
from chatapp.conversations.queries import find_reader_access
from chatapp.conversations.refs import parse_ref
from chatapp.extensions import db
from chatapp.realtime.handlers import Ack, Caller, EventNumber, Payload, handles
from chatapp.timeline.saved import list_saved_seqs, save
from chatapp.timeline.signals import SavedChanged


class SavePayload(Payload):
    """Payload of `save_message`."""

    conversation: object
    seq: EventNumber
    on: bool = True


class SavedPayload(Payload):
    """Payload of `saved_messages`."""

    conversation: object


@handles("save_message", SavePayload)
def save_message(caller: Caller, payload: SavePayload) -> None:
    """Add a message to the caller's saved messages, or remove it."""
    save(parse_ref(payload.conversation), caller.user.actor, payload.seq, on=payload.on)


@handles("saved_messages", SavedPayload)
def list_saved(caller: Caller, payload: SavedPayload) -> Ack:
    """Return the numbers of the messages of a conversation that the caller has saved."""
    access = find_reader_access(db.session(), parse_ref(payload.conversation), caller.user.actor)
    conversation = authorize_reading(*access)
    return {"seqs": list_saved_seqs(db.session(), caller.user.id, conversation.id)}


def present_saved_changed(changed: SavedChanged) -> dict[str, Any]:
    """Return the payload of `saved_changed`."""
    return {"conversation": changed.conversation.wire_name, "seq": changed.seq, "saved": changed.is_saved}
