"""Signals of assistants."""

from dataclasses import dataclass

from chatapp.conversations.names import ConversationName
from chatapp.signals import Signal


@dataclass(frozen=True, slots=True)
class Growth:
    """How far an answer has come, as the process knows that works on it."""

    conversation: ConversationName
    seq: int
    content: str
    is_over: bool = False


answer_grew: Signal[Growth] = Signal("answer-grew")
"""Sent while an answer comes and once when it is over."""

answer_stopped: Signal[int] = Signal("answer-stopped")
"""The id of a message that somebody wants no more of."""
