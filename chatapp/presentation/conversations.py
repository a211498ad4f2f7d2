"""A conversation's page, the same for each kind but for its template."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from flask import render_template

from chatapp.assistant_config import Assistant, current_assistants
from chatapp.config import current_settings
from chatapp.conversations.kinds import is_manager, kind_of
from chatapp.conversations.names import ConversationName
from chatapp.conversations.people import Person, shown_people
from chatapp.conversations.policy import authorize_reading, may_post
from chatapp.conversations.queries import ConversationAccess, RoomSummary, get_summary, list_conversations, list_people
from chatapp.errors import ChatError
from chatapp.extensions import db
from chatapp.identity import AuthenticatedUser, current_person
from chatapp.models import Conversation, now
from chatapp.presentation.urls import conversation_path, direct_path, parse_seq
from chatapp.timeline import TimelineMessage, list_pending, read_page
from chatapp.timeline.epoch import get_epoch
from chatapp.timeline.read_state import get_read_state, list_read_states
from chatapp.timeline.reading import LAST_PAGE_SIZE

TEMPLATES = {
    "general": "general/show.html",
    "room": "rooms/show.html",
    "direct": "direct/show.html",
    "assistant": "assistants/show.html",
}

SHOWN = {"assistant": 50}
"""Messages on a page, where they are more than usual: answers are read in their context."""


@dataclass(frozen=True, slots=True)
class ConversationView:
    """What a conversation's page shows."""

    id: int
    name: str
    kind: str
    is_private: bool
    title: str
    topic: str
    path: str
    room: RoomSummary | None
    others: Sequence[Person]
    assistant: Assistant | None
    blockable: Person | None
    has_blocked: bool
    is_archived: bool
    messages: Sequence[TimelineMessage]
    has_older: bool
    oldest_seq: int | None
    is_latest: bool
    cursor: int
    last_read_seq: int | None
    unread: int
    floor: int
    epoch: str
    may_post: bool
    may_manage: bool
    may_manage_session: bool
    kept_last: int | None
    outbox_message: TimelineMessage
    client_id: str
    draft: str
    error: str | None


@dataclass(frozen=True, slots=True)
class ConversationItem:
    """A conversation in a list, as one person sees it."""

    label: str
    href: str
    conversation: str
    kind: str
    is_private: bool
    others: Sequence[Person]
    assistant: Assistant | None
    last_event: int
    has_read_state: bool
    """Whether the person has a read state there."""
    unread: int
    mentions: int


def conversation_title(conversation: Conversation) -> str:
    """Give what people see as the name of a conversation that is not direct."""
    if conversation.kind != "assistant" or conversation.name:
        return conversation.name
    assistant = current_assistants().get(conversation.assistant or "")
    title = assistant.display_name if assistant else str(conversation.assistant)
    return f"New session with {title}" if conversation.is_private else title


def direct_title(people: Sequence[Person], user_id: int) -> str:
    """Give what a person sees as the name of the direct conversation of these people."""
    shown = shown_people(people, user_id)
    is_notepad = all(each.id == user_id for each in shown)
    return f"{shown[0].name} (you)" if is_notepad else ", ".join(each.name for each in shown)


def render_conversation(
    place: ConversationAccess,
    *,
    before: str | None = None,
    draft: str = "",
    error: ChatError | None = None,
    blockable: Person | None = None,
    has_blocked: bool = False,
) -> str:
    """Draw the page with the last messages, or with those before the number `before`.

    Raises what `authorize_reading` raises, and `Invalid` when `before` is no number.
    """
    person = current_person()
    conversation = authorize_reading(*place)
    shown = read_page(
        db.session(), conversation, before=parse_seq(before), limit=SHOWN.get(conversation.kind, LAST_PAGE_SIZE)
    )
    name = ConversationName(conversation.kind, conversation.id)
    keep_last = current_settings().general_keep_last
    is_direct = name.kind == "direct"
    people = list_people(db.session(), [name.id])[name.id] if is_direct else []
    view = ConversationView(
        id=conversation.id,
        name=conversation.wire_name,
        kind=name.kind,
        is_private=conversation.is_private,
        title=direct_title(people, person.id) if is_direct else conversation_title(conversation),
        topic=conversation.topic,
        path=direct_path(people, person.id) if is_direct else conversation_path(conversation),
        room=get_summary(db.session(), conversation) if name.kind == "room" else None,
        others=shown_people(people, person.id),
        assistant=current_assistants().get(conversation.assistant or ""),
        blockable=blockable,
        has_blocked=has_blocked,
        is_archived=conversation.is_archived,
        messages=[*shown.messages, *(list_pending(conversation) if before is None else ())],
        has_older=shown.has_older,
        oldest_seq=shown.oldest_seq,
        is_latest=before is None,
        cursor=conversation.last_event,
        last_read_seq=place.membership.last_read_seq if place.membership else None,
        unread=get_read_state(db.session(), conversation, person.id).unread if place.membership else 0,
        floor=conversation.floor,
        epoch=get_epoch(db.session()),
        may_post=may_post(*place),
        may_manage=is_manager(place.membership),
        may_manage_session=kind_of(conversation).may_manage(place.membership, is_admin=person.is_admin),
        kept_last=keep_last if keep_last and name.kind == "general" and person.is_admin else None,
        outbox_message=_outbox_message(person, conversation),
        client_id=str(uuid.uuid4()),
        draft=draft,
        error=error.message if error else None,
    )
    return render_template(TEMPLATES[name.kind], view=view)


def sidebar_items(person: AuthenticatedUser) -> list[ConversationItem]:
    """List what stands in a person's sidebar."""
    return conversation_items(person, list_conversations(db.session(), person.id))


def conversation_items(person: AuthenticatedUser, conversations: Sequence[Conversation]) -> list[ConversationItem]:
    """Give conversations as lists show them, with how much a person has not read in each."""
    people = list_people(db.session(), [each.id for each in conversations if each.kind == "direct"])
    states = list_read_states(db.session(), person.id)
    assistants = current_assistants()
    return [
        ConversationItem(
            label=direct_title(people[each.id], person.id) if each.id in people else conversation_title(each),
            href=direct_path(people[each.id], person.id) if each.id in people else conversation_path(each),
            conversation=each.wire_name,
            kind=each.kind,
            is_private=each.is_private,
            others=shown_people(people.get(each.id, ()), person.id),
            assistant=assistants.get(each.assistant or ""),
            last_event=each.last_event,
            has_read_state=each.wire_name in states,
            unread=states[each.wire_name].unread if each.wire_name in states else 0,
            mentions=states[each.wire_name].mentions if each.wire_name in states else 0,
        )
        for each in conversations
    ]


def _outbox_message(person: AuthenticatedUser, conversation: Conversation) -> TimelineMessage:
    """Return an empty message of this person: the template of messages in the browser's outbox."""
    return TimelineMessage(
        conversation=ConversationName.of(conversation), sender=person.as_person(), content="", created_at=now()
    )
