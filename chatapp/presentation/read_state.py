"""Read state as the wire carries it."""

from typing import Any

from chatapp.presentation import resources
from chatapp.timeline.read_state import ReadReceipt, ReadState


def present_read_state(state: ReadState) -> resources.ReadState:
    """Give a person's mark in a conversation, with what lies after it."""
    return {
        "conversation": state.conversation.wire_name,
        "last_read_seq": state.last_read_seq,
        "unread": state.unread,
        "mentions": state.mentions,
    }


def present_read_receipt(reader: ReadReceipt) -> dict[str, Any]:
    """Give who has read, and how far."""
    return {"id": reader.person.id, "name": reader.person.name, "seq": reader.seq}
