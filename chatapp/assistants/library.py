"""What an assistant may read: what its asker may, and so may everybody else who hears the answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import Flask

from chatapp.conversations.names import ConversationName
from chatapp.conversations.policy import Actor


@dataclass(frozen=True, slots=True)
class Found:
    """A message that was found, and where it stands."""

    conversation: str
    place: str
    """What people call the conversation."""
    seq: int
    sender: str
    content: str
    created_at: datetime


class Library:
    """The history, as far as it is open to one asker in one conversation."""

    def __init__(self, app: Flask, asker: Actor, conversation: ConversationName) -> None:
        self._app = app
        self._asker = asker
        self._conversation = conversation

    def search(self, words: Sequence[str], *, sender: str | None = None, limit: int = 5) -> Sequence[Found]:
        """Find messages that have the words in them, the best first. Raises nothing for strange words."""
        raise NotImplementedError
