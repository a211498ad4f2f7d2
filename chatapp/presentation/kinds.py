"""How each kind of conversation is shown: one class for each class of `chatapp.conversations.kinds`.

No other module and no template distinguishes kinds: it uses what `page_of` and `pages_of` return.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from flask import url_for
from sqlalchemy.orm import Session

from chatapp.config import current_settings
from chatapp.config.assistants import Assistant, current_assistants
from chatapp.conversations.kinds import (
    AssistantSession,
    ConversationKind,
    Direct,
    General,
    Room,
    SharedAssistant,
    kind_of,
)
from chatapp.conversations.people import Person, shown_people
from chatapp.conversations.queries import has_blocked, list_title_people
from chatapp.identity import AuthenticatedUser
from chatapp.models import Conversation
from chatapp.presentation.avatars import conversation_avatar_path, person_avatar_path
from chatapp.search.query import QUOTATION_MARKS
from chatapp.timeline.conversation_state import ConversationState


@dataclass(frozen=True, slots=True)
class ConversationPage(ABC):
    """The page of a conversation, as one user sees it there and in lists that link to it."""

    conversation: Conversation
    people: Sequence[Person]
    """The members, if the title consists of their names; empty for the other kinds."""
    viewer_id: int

    template: ClassVar[str]
    sidebar_section: ClassVar[str]

    @property
    def title(self) -> str:
        """The title that the viewer sees."""
        return self.conversation.name

    @property
    @abstractmethod
    def path(self) -> str:
        """The path of the page."""

    @property
    def icon(self) -> str:
        """The name of a macro in `layout/_icons.html`."""
        return "hash"

    @property
    def emoji(self) -> str:
        """An emoji that is shown instead of the icon; an empty text for none."""
        return ""

    @property
    def picture(self) -> str | None:
        """The path of a picture that is shown instead of the icon and the emoji."""
        return conversation_avatar_path(self.conversation.wire_name, self.conversation.avatar_digest)

    @property
    def search_filter(self) -> str:
        """The filter that limits a search to the conversation."""
        return f"in:{self.conversation.wire_name}"

    @property
    def others(self) -> Sequence[Person]:
        """The people whose names are the title."""
        return shown_people(self.people, self.viewer_id)

    @property
    def presence_of(self) -> int | None:
        """The id of the one other person, whose presence the icon shows."""
        return self.others[0].id if len(self.others) == 1 else None

    @property
    def assistant(self) -> Assistant | None:
        """The assistant of the conversation, if it has one that is still configured."""
        return current_assistants().get(self.conversation.assistant or "")

    def extras(self, session: Session, viewer: AuthenticatedUser, state: ConversationState) -> Mapping[str, object]:  # noqa: ARG002
        """Return the variables that only this kind's template uses."""
        return {}


class GeneralPage(ConversationPage):
    """The page of the general chat."""

    template = "general/show.html"
    sidebar_section = "general"

    @property
    def path(self) -> str:
        """The start page."""
        return url_for("general.show")

    def extras(self, session: Session, viewer: AuthenticatedUser, state: ConversationState) -> Mapping[str, object]:  # noqa: ARG002
        """Return how many messages a restart keeps, and the assistant that newcomers may ask."""
        first_assistant = next(iter(current_assistants().values()), None)
        return {"kept_messages": current_settings().general_keep_last, "first_assistant": first_assistant}


class RoomPage(ConversationPage):
    """The page of a room."""

    template = "rooms/show.html"
    sidebar_section = "rooms"

    @property
    def path(self) -> str:
        """The path with the id."""
        return url_for("rooms.show", room_id=self.conversation.id)

    @property
    def search_filter(self) -> str:
        """The filter with the name, which people can read."""
        name = "-".join(self.title.split()).lower()
        return f"in:{name}" if set(name).isdisjoint(QUOTATION_MARKS) else super().search_filter

    @property
    def icon(self) -> str:
        """A lock for a private room."""
        return "lock" if self.conversation.is_private else "hash"

    def extras(self, session: Session, viewer: AuthenticatedUser, state: ConversationState) -> Mapping[str, object]:  # noqa: ARG002
        """Return the number of members."""
        return {"member_count": state.member_count}


class DirectPage(ConversationPage):
    """The page of a direct conversation."""

    template = "direct/show.html"
    sidebar_section = "direct"

    @property
    def title(self) -> str:
        """The names of the other people."""
        return direct_title(self.people, self.viewer_id)

    @property
    def path(self) -> str:
        """The path with the usernames of the other people."""
        return direct_path(self.people, self.viewer_id)

    @property
    def icon(self) -> str:
        """One person or several."""
        return "person" if len(self.others) == 1 else "people"

    @property
    def picture(self) -> str | None:
        """The picture of the one other person."""
        return person_avatar_path(self.others[0].avatar_digest) if len(self.others) == 1 else None

    def extras(self, session: Session, viewer: AuthenticatedUser, state: ConversationState) -> Mapping[str, object]:  # noqa: ARG002
        """Return the person that the viewer may block, if there is exactly one, and whether that person is blocked."""
        return block_state(session, viewer.id, self.people)


class SharedAssistantPage(ConversationPage):
    """The page of the conversation that all users share with an assistant."""

    template = "assistants/show.html"
    sidebar_section = "assistants"

    @property
    def title(self) -> str:
        """The assistant's name."""
        if self.assistant:
            return self.assistant.display_name
        return self.conversation.name or self.conversation.assistant or ""

    @property
    def path(self) -> str:
        """The path with the assistant's name."""
        return url_for("assistants.show", assistant=self.conversation.name or self.conversation.assistant)

    @property
    def icon(self) -> str:
        """The icon of an assistant without an emoji."""
        return "sparkles"

    @property
    def emoji(self) -> str:
        """The assistant's emoji."""
        return self.assistant.avatar if self.assistant else ""


class AssistantSessionPage(SharedAssistantPage):
    """The page of a user's own conversation with an assistant."""

    @property
    def title(self) -> str:
        """The title, which a session has after its first message."""
        return self.conversation.name or f"New session with {super().title}"

    @property
    def path(self) -> str:
        """The path with the id."""
        return url_for("assistants.show_session", session_id=self.conversation.id)

    @property
    def icon(self) -> str:
        """The icon of sessions."""
        return "speech_bubble"

    @property
    def emoji(self) -> str:
        """No emoji: in a list, sessions look different from the shared conversation."""
        return ""


PAGES: Mapping[type[ConversationKind], type[ConversationPage]] = {
    General: GeneralPage,
    Room: RoomPage,
    Direct: DirectPage,
    SharedAssistant: SharedAssistantPage,
    AssistantSession: AssistantSessionPage,
}


def page_of(conversation: Conversation, people: Sequence[Person], viewer_id: int) -> ConversationPage:
    """Return the page of a conversation whose title people are known."""
    return PAGES[kind_of(conversation)](conversation, people, viewer_id)


def pages_of(session: Session, conversations: Sequence[Conversation], viewer_id: int) -> list[ConversationPage]:
    """Return the pages of conversations, with one query for all title people."""
    people = list_title_people(session, conversations)
    return [page_of(conversation, people.get(conversation.id, ()), viewer_id) for conversation in conversations]


def block_state(session: Session, viewer_id: int, people: Sequence[Person]) -> Mapping[str, object]:
    """Return the person that the viewer may block, if there is exactly one, and whether that person is blocked."""
    others = [person for person in people if person.id != viewer_id]
    if len(others) != 1:
        return {}
    return {"blockable": others[0], "has_blocked": has_blocked(session, viewer_id, others[0].id)}


def direct_title(people: Sequence[Person], viewer_id: int) -> str:
    """Return the title of the direct conversation between these people."""
    shown = shown_people(people, viewer_id)
    is_notepad = all(person.id == viewer_id for person in shown)
    return f"{shown[0].name} (you)" if is_notepad else ", ".join(person.name for person in shown)


def direct_path(people: Sequence[Person], viewer_id: int) -> str:
    """Return the path of the direct conversation between these people."""
    names = ",".join(sorted(person.username for person in shown_people(people, viewer_id)))
    return url_for("direct.show", names=names)
