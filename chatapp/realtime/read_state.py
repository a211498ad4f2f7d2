"""Events that change a read marker."""

from chatapp.conversations.refs import parse_ref
from chatapp.presentation.read_state import present_read_state
from chatapp.realtime.handlers import Ack, Caller, EventNumber, Payload, handles
from chatapp.timeline import mark_read, mark_unread


class MarkPayload(Payload):
    """Payload of `mark_as_read` and `mark_as_unread`."""

    conversation: object
    seq: EventNumber


@handles("mark_as_read", MarkPayload)
def mark_as_read(caller: Caller, payload: MarkPayload) -> Ack:
    """Mark a message, and all before it, as read."""
    return present_read_state(mark_read(parse_ref(payload.conversation), caller.user.actor, payload.seq))


@handles("mark_as_unread", MarkPayload)
def mark_as_unread(caller: Caller, payload: MarkPayload) -> Ack:
    """Mark a message, and all after it, as unread."""
    return present_read_state(mark_unread(parse_ref(payload.conversation), caller.user.actor, payload.seq))
