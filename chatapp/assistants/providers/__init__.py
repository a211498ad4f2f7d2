"""Where answers come from, behind one small protocol."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from chatapp.assistants.message_search import MessageSearch
from chatapp.conversations.people import Person


@dataclass(frozen=True, slots=True)
class Turn:
    """A message as a model is given it."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Question:
    """What an assistant is to answer: its prompt, the last messages, and the question as the last of the turns."""

    turns: Sequence[Turn]
    asker: Person
    library: MessageSearch
    """What the asker, and everybody else who hears the answer, may read."""


class Provider(Protocol):
    """Somewhere that answers come from. It is called on a thread of its own, and may take its time."""

    def answer(self, question: Question) -> Iterator[str]:
        """Yield the answer piece by piece. Raises `ProviderFailed`, also in the middle."""
        ...


class ProviderFailed(Exception):
    """The answer did not come, or not to its end. The text is for the people who wait for it."""
