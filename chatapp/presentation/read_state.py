"""Read states and read receipts as JSON."""

from typing import Any

from chatapp.presentation import resources
from chatapp.presentation.avatars import person_avatar_path
from chatapp.timeline.read_markers import ReadReceipt, ReadState


def present_read_state(state: ReadState) -> resources.ReadState:
    """Return the JSON of a read state."""
    return {
        "conversation": state.conversation.wire_name,
        "last_read_seq": state.last_read_seq,
        "unread": state.unread,
        "mentions": state.mentions,
    }


def present_read_receipt(receipt: ReadReceipt) -> dict[str, Any]:
    """Return the JSON of a read receipt."""
    data: dict[str, Any] = {"id": receipt.person.id, "name": receipt.person.name, "seq": receipt.seq}
    if path := person_avatar_path(receipt.person.avatar_digest):
        data["avatar_url"] = path
    return data
