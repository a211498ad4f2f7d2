"""Events that change a read marker."""

from chatapp.conversations.refs import parse_ref
from chatapp.presentation.read_state import present_read_state
from chatapp.realtime.handlers import Caller, EventNumber, Payload, Write, prepares
from chatapp.timeline import MoveReadMarker
from chatapp.timeline.read_markers import ReadState


class MarkPayload(Payload):
    """Payload of `mark_as_read` and `mark_as_unread`."""

    conversation: object
    seq: EventNumber


@prepares("mark_as_read", MarkPayload)
def mark_as_read(caller: Caller, payload: MarkPayload) -> Write[ReadState]:
    """Mark a message, and all before it, as read."""
    ref = parse_ref(payload.conversation)
    return Write(MoveReadMarker.to_read(ref, caller.user.actor, payload.seq), present_read_state)


@prepares("mark_as_unread", MarkPayload)
def mark_as_unread(caller: Caller, payload: MarkPayload) -> Write[ReadState]:
    """Mark a message, and all after it, as unread."""
    ref = parse_ref(payload.conversation)
    return Write(MoveReadMarker.to_unread(ref, caller.user.actor, payload.seq), present_read_state)
