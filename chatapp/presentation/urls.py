"""Where things are found: the addresses of conversations, and what stands in addresses."""

from collections.abc import Sequence

from flask import url_for

from chatapp.conversations.names import ConversationName
from chatapp.conversations.people import Person, shown_people
from chatapp.conversations.queries import find_conversation, list_people
from chatapp.errors import Invalid
from chatapp.extensions import db
from chatapp.identity import current_person
from chatapp.models import Conversation
from chatapp.models.base import LAST_ID

# Beyond it no row can be meant, and no database could be asked.
ID = f"int(max={LAST_ID})"
"""How a row's number is written in a route."""


def find_path(name: ConversationName) -> str:
    """Give the address of the page of a conversation that is known by its name. There must be one."""
    conversation = find_conversation(db.session(), name)
    assert conversation is not None  # noqa: S101 - whoever asks has found it before
    return conversation_path(conversation)


def conversation_path(conversation: Conversation) -> str:
    """Give the address of a conversation's page, as the person who is signed in has it."""
    match conversation.kind:
        case "general":
            return url_for("general.show")
        case "room":
            return url_for("rooms.show", room_id=conversation.id)
        case "assistant" if conversation.is_private:
            return url_for("assistants.show_session", session_id=conversation.id)
        case "assistant":
            return url_for("assistants.show", assistant=conversation.assistant)
    return direct_path(list_people(db.session(), [conversation.id])[conversation.id], current_person().id)


def direct_path(people: Sequence[Person], user_id: int) -> str:
    """Give the address at which a person sees the direct conversation of these people."""
    return url_for("direct.show", names=",".join(sorted(each.username for each in shown_people(people, user_id))))


def parse_seq(value: str | None) -> int | None:
    """Read a message's number from an address. Raises `Invalid`."""
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) <= 18):
        raise Invalid("before must be the number of a message.")
    return int(value)
