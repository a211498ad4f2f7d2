"""What assistants tell. Each signal is sent with one fact (a value, no row) and nothing else."""

from dataclasses import dataclass

from blinker import Namespace

_signals = Namespace()

answer_grew = _signals.signal("answer-grew")
"""A `Growth`, while an answer comes and once when it is over."""

answer_stopped = _signals.signal("answer-stopped")
"""The id of a message that somebody wants no more of."""


@dataclass(frozen=True, slots=True)
class Growth:
    """How far an answer has come, as the process knows that works on it."""

    conversation: str
    seq: int
    content: str
    is_over: bool = False
