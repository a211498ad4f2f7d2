"""Providers produce the answers of assistants. All implement one small protocol."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from chatapp.assistants.message_search import MessageSearch
from chatapp.assistants.usage import Usage
from chatapp.concurrency.native import Interruption
from chatapp.conversations.people import Person
from chatapp.files.attached import AttachedFile


@dataclass(frozen=True, slots=True)
class Turn:
    """A message of the conversation in the form that models expect."""

    role: Literal["system", "user", "assistant"]
    content: str
    images: tuple[AttachedFile, ...] = ()
    """The images of the message."""


@dataclass(frozen=True, slots=True)
class GeneratedImage:
    """An image that belongs to an answer."""

    url: str
    """A `data:` URL. Nothing else is attached, and nothing is fetched."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its context: the system prompt, the latest messages, and the question itself as the last turn."""

    turns: Sequence[Turn]
    asker: Person
    search: MessageSearch
    """Searches the messages that the asker and all other readers of the answer may read."""
    interruption: Interruption = field(default_factory=Interruption)
    """Ends what the provider waits for: the answer was stopped."""
    usage: Usage = field(default_factory=Usage)
    """Updated by the provider."""
    image_urls: Mapping[str, str] = field(default_factory=dict)
    """The `data:` URLs of the images that the model gets, by their digests."""


class Provider(Protocol):
    """A source of answers. It runs on a thread of its own and may block."""

    def answer(self, question: Question) -> Iterator[str | GeneratedImage]:
        """Yield the answer in pieces, text and images. Raises `ProviderFailed`, also after some pieces."""
        ...


class ProviderFailed(Exception):
    """The answer could not be produced, or only a part of it. The text is shown to users."""
