"""The names of conversations on the wire."""

import re
from dataclasses import dataclass
from typing import Self

from chatapp.errors import InvalidConversation
from chatapp.models.base import LAST_ID
from chatapp.models.conversations import GENERAL_ID, Conversation

# No leading zero, no sign, no exponent.
_NAME = re.compile(r"general|(?P<kind>room|direct|assistant)_(?P<id>[1-9][0-9]{0,9})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ConversationName:
    """A well-formed name. Whether there is such a conversation, and of that kind, is another question."""

    kind: str
    id: int

    @classmethod
    def of(cls, conversation: Conversation) -> Self:
        """Return the name of a row."""
        return cls(conversation.kind, conversation.id)

    @property
    def wire_name(self) -> str:
        """The name in its written form."""
        return self.kind if self.kind == "general" else f"{self.kind}_{self.id}"


GENERAL = ConversationName("general", GENERAL_ID)


def parse_name(value: object) -> ConversationName:
    """Read a conversation's name: `general`, `room_<id>`, `direct_<id>` or `assistant_<id>`.

    Raises `InvalidConversation` for anything else.
    """
    if not isinstance(value, str):
        raise InvalidConversation("conversation must be a text such as “general” or “room_26”.")
    match = _NAME.fullmatch(value)
    if match is None or int(match["id"] or 0) > LAST_ID:
        shown = ascii(value[:40])[1:-1]
        raise InvalidConversation(
            f"“{shown}” is no conversation. A name is “general”, or “room_”, “direct_” or “assistant_” and a number."
        )
    if match["kind"] is None:
        return GENERAL
    return ConversationName(match["kind"], int(match["id"]))
