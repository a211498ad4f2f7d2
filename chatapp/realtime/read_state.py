"""The events of reading: how far one has got."""

from chatapp.conversations.names import parse_name
from chatapp.presentation.read_state import present_read_state
from chatapp.realtime.handlers import Ack, Caller, EventNumber, Payload, handles
from chatapp.timeline import mark_read, mark_unread


class Marking(Payload):
    """Payload of `mark_as_read` and `mark_as_unread`."""

    conversation: object
    seq: EventNumber


@handles("mark_as_read", Marking)
def mark_as_read(caller: Caller, payload: Marking) -> Ack:
    """Move one's mark forward to a message."""
    return present_read_state(mark_read(parse_name(payload.conversation), caller.person.actor, payload.seq))


@handles("mark_as_unread", Marking)
def mark_as_unread(caller: Caller, payload: Marking) -> Ack:
    """Make a message and what follows unread again."""
    return present_read_state(mark_unread(parse_name(payload.conversation), caller.person.actor, payload.seq))
