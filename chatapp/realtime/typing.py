"""Typing: who is writing something just now. Nothing of it is stored."""

import time
from dataclasses import dataclass

from chatapp.conversations.names import parse_name
from chatapp.conversations.people import Person
from chatapp.conversations.policy import authorize_posting
from chatapp.conversations.queries import find_access_of
from chatapp.extensions import db
from chatapp.realtime.handlers import Caller, Payload, handles
from chatapp.signals import Signal
from chatapp.timeline import TimelineMessage
from chatapp.timeline.signals import message_posted

PERIOD = 1.0
"""Seconds that a person's typing in a conversation is told once in, however often their pages say it."""

_told: dict[tuple[int, str], float] = {}
"""When a person's typing was told last, for those of the last `PERIOD`."""


@dataclass(frozen=True, slots=True)
class Typing:
    """Who is writing, and where."""

    conversation: str
    person: Person


typed: Signal[Typing] = Signal("typed")
"""For the others of the conversation."""


class TypingPayload(Payload):
    """Payload of `typing`."""

    conversation: object


@handles("typing", TypingPayload)
def type_in(caller: Caller, payload: TypingPayload) -> None:
    """Tell the others of a conversation that one is writing."""
    name = parse_name(payload.conversation)
    authorize_posting(*find_access_of(db.session(), name, caller.person.actor))
    if _is_due((caller.person.id, name.wire_name)):
        typed.send(Typing(name.wire_name, caller.person.as_person()))


@message_posted.connect
def forget(message: TimelineMessage) -> None:
    """Let whoever has said something be told as typing at once when they go on."""
    if message.sender is not None:
        _told.pop((message.sender.id, message.conversation.wire_name), None)


def _is_due(key: tuple[int, str]) -> bool:
    now = time.monotonic()
    for old in [each for each, moment in list(_told.items()) if moment <= now - PERIOD]:
        del _told[old]
    if key in _told:
        return False
    _told[key] = now
    return True
