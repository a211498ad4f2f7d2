"""Signals of assistants."""

from dataclasses import dataclass

from chatapp.conversations.refs import ConversationRef
from chatapp.signals import Signal


@dataclass(frozen=True, slots=True)
class AnswerProgress:
    """The content of an answer so far, in the process whose worker runs it."""

    conversation: ConversationRef
    seq: int
    content: str
    is_complete: bool = False
    """Whether nothing is added to the content any more, although it is not stored yet."""
    is_over: bool = False


answer_progressed: Signal[AnswerProgress] = Signal("answer-progressed")
"""Sent at intervals while an answer is running, also if nothing was added, and once more when it is over."""

answer_stopped: Signal[int] = Signal("answer-stopped")
"""The message id of an answer that a user has stopped."""
