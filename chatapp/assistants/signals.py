"""Signals of assistants."""

from dataclasses import dataclass

from chatapp.conversations.names import ConversationName
from chatapp.signals import Signal


@dataclass(frozen=True, slots=True)
class AnswerProgress:
    """The content of an answer so far, in the process whose worker runs it."""

    conversation: ConversationName
    seq: int
    content: str
    is_over: bool = False


answer_progressed: Signal[AnswerProgress] = Signal("answer-progressed")
"""Sent while an answer grows, and once more when it is over."""

answer_stopped: Signal[int] = Signal("answer-stopped")
"""The message id of an answer that a user has stopped."""
