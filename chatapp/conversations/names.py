"""The names of conversations on the wire."""

import re
from dataclasses import dataclass
from typing import Self

from chatapp.errors import InvalidConversation
from chatapp.models.base import LAST_ID
from chatapp.models.conversations import GENERAL_ID, Conversation, format_wire_name

# No leading zero, no sign, no exponent.
_NAME = re.compile(r"general|(?P<kind>room|direct|assistant)_(?P<id>[1-9][0-9]{0,9})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ConversationName:
    """A well-formed name. A conversation with this name need not exist."""

    kind: str
    id: int

    @classmethod
    def of(cls, conversation: Conversation) -> Self:
        """Return the name of a conversation."""
        return cls(conversation.kind, conversation.id)

    @property
    def wire_name(self) -> str:
        """The name as text."""
        return format_wire_name(self.kind, self.id)


GENERAL = ConversationName("general", GENERAL_ID)


def room_name(room_id: int) -> ConversationName:
    """Return the name of a room."""
    return ConversationName("room", room_id)


def direct_name(conversation_id: int) -> ConversationName:
    """Return the name of a direct conversation."""
    return ConversationName("direct", conversation_id)


def assistant_name(conversation_id: int) -> ConversationName:
    """Return the name of a conversation with an assistant, shared or not."""
    return ConversationName("assistant", conversation_id)


def parse_name(value: object) -> ConversationName:
    """Parse a conversation's name: `general`, `room_<id>`, `direct_<id>` or `assistant_<id>`.

    Raises `InvalidConversation` for anything else.
    """
    if not isinstance(value, str):
        raise InvalidConversation("conversation must be a text such as “general” or “room_26”.")
    match = _NAME.fullmatch(value)
    if match is None or int(match["id"] or 0) > LAST_ID:
        shown = ascii(value[:40])[1:-1]
        raise InvalidConversation(
            f"“{shown}” is not a conversation. A name is “general”, or “room_”, “direct_” or “assistant_” and a number."
        )
    if match["kind"] is None:
        return GENERAL
    return ConversationName(match["kind"], int(match["id"]))
