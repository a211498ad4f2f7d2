"""Handlers of the events `presence` and `typing`. Nothing of them is stored."""

from typing import Literal

from chatapp.conversations.policy import authorize_posting
from chatapp.conversations.queries import find_reader_access
from chatapp.conversations.refs import parse_ref
from chatapp.extensions import db
from chatapp.realtime.handlers import Caller, EventNumber, Payload, handles
from chatapp.realtime.typing import Typing, typed


class PresencePayload(Payload):
    """Payload of `presence`."""

    state: Literal["online", "away"]


@handles("presence", PresencePayload)
def set_presence(caller: Caller, payload: PresencePayload) -> None:
    """Store whether the user is at a page, as the page reports it."""
    caller.realtime.presence.set_state(caller.sid, payload.state)


class TypingPayload(Payload):
    """Payload of `typing`."""

    conversation: object
    thread: EventNumber | None = None


@handles("typing", TypingPayload)
def notify_typing(caller: Caller, payload: TypingPayload) -> None:
    """Notify the others in a conversation that the caller is typing, in the room or in a thread."""
    ref = parse_ref(payload.conversation)
    authorize_posting(*find_reader_access(db.session(), ref, caller.user.actor))
    if caller.realtime.typing_throttle.is_due(caller.user.id, ref):
        caller.realtime.signals.send_robust(typed, Typing(ref, caller.user.as_person(), payload.thread))
