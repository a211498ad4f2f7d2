"""Refs: what identifies a conversation in the core, on the wire and in the API."""

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from chatapp.errors import InvalidConversation
from chatapp.models.base import LAST_ID
from chatapp.models.conversations import GENERAL_ID, Conversation, format_wire_name

CACHED_REFS = 1_000

# No leading zero, no sign, no exponent.
_WIRE_NAME = re.compile(r"general|(?P<kind>room|direct|assistant)_(?P<id>[1-9][0-9]{0,9})", re.ASCII)


@dataclass(frozen=True)
class ConversationRef:
    """The kind and the id of a conversation, which need not exist. It is not the name that people see."""

    kind: str
    id: int

    def __hash__(self) -> int:
        # Ids are unique among all kinds. Refs are keys of what is looked up for each message.
        return self.id

    @classmethod
    def of(cls, conversation: Conversation) -> "ConversationRef":
        """Return the ref of a conversation."""
        return make_ref(conversation.kind, conversation.id)

    @cached_property
    def wire_name(self) -> str:
        """The ref as text, as the protocol has it: `general`, `room_26`, `direct_7`, `assistant_9`."""
        return format_wire_name(self.kind, self.id)


make_ref = lru_cache(CACHED_REFS)(ConversationRef)
"""Return the ref with this kind and id, most often the same object: it is compared fastest with itself."""

GENERAL = make_ref("general", GENERAL_ID)


def room_ref(room_id: int) -> ConversationRef:
    """Return the ref of a room."""
    return ConversationRef("room", room_id)


def direct_ref(conversation_id: int) -> ConversationRef:
    """Return the ref of a direct conversation."""
    return ConversationRef("direct", conversation_id)


def assistant_ref(conversation_id: int) -> ConversationRef:
    """Return the ref of a conversation with an assistant, shared or not."""
    return ConversationRef("assistant", conversation_id)


def parse_ref(value: object) -> ConversationRef:
    """Parse a wire name: `general`, `room_<id>`, `direct_<id>` or `assistant_<id>`.

    Raises `InvalidConversation` for anything else.
    """
    if not isinstance(value, str):
        raise InvalidConversation("conversation must be a text such as “general” or “room_26”.")
    return _parse_text(value)


@lru_cache(CACHED_REFS)
def _parse_text(value: str) -> ConversationRef:
    match = _WIRE_NAME.fullmatch(value)
    if match is None or int(match["id"] or 0) > LAST_ID:
        shown = ascii(value[:40])[1:-1]
        raise InvalidConversation(
            f"“{shown}” is not a conversation. A name is “general”, or “room_”, “direct_” or “assistant_” and a number."
        )
    if match["kind"] is None:
        return GENERAL
    return make_ref(match["kind"], int(match["id"]))
