"""Typing notifications. They are not stored."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from chatapp.conversations.people import Person
from chatapp.conversations.refs import ConversationRef
from chatapp.signals import Signal, Signals
from chatapp.timeline import TimelineMessage
from chatapp.timeline.signals import messages_posted

THROTTLE_SECONDS = 1.0
"""Minimum time between two broadcasts that a user is typing in a conversation."""


@dataclass(frozen=True, slots=True)
class Typing:
    """Somebody is typing in a conversation."""

    conversation: ConversationRef
    person: Person
    thread: int | None = None
    """The number of the first message of the thread; None for the room."""


typed: Signal[Typing] = Signal("typed")
"""Somebody is typing: to be broadcast by this process and the others."""


class TypingThrottle:
    """Limits the typing notifications of one application."""

    def __init__(self, signals: Signals) -> None:
        self._last_broadcasts: dict[tuple[int, ConversationRef], float] = {}
        """Time of the last broadcast by user and conversation, for those of the last `THROTTLE_SECONDS`."""
        signals.connect(messages_posted, self.reset)

    def is_due(self, user_id: int, ref: ConversationRef) -> bool:
        """Return whether to broadcast that a user is typing in a conversation; if so, record the broadcast."""
        key, now = (user_id, ref), time.monotonic()
        for old in [old for old, moment in list(self._last_broadcasts.items()) if moment <= now - THROTTLE_SECONDS]:
            del self._last_broadcasts[old]
        if key in self._last_broadcasts:
            return False
        self._last_broadcasts[key] = now
        return True

    def reset(self, messages: Iterable[TimelineMessage]) -> None:
        """Allow the next notification of the messages' senders at once."""
        for message in messages if self._last_broadcasts else ():
            if message.sender is not None:
                self._last_broadcasts.pop((message.sender.id, message.conversation), None)
