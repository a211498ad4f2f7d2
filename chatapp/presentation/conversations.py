"""A conversation's page, the same for each kind but for its template."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from flask import render_template, url_for

from chatapp.config import current_settings
from chatapp.conversations.names import ConversationName
from chatapp.conversations.people import Person
from chatapp.conversations.policy import is_manager, may_post, permit_reading
from chatapp.conversations.queries import (
    Place,
    RoomSummary,
    get_epoch,
    get_summary,
    list_conversations,
    list_people,
)
from chatapp.errors import ChatError, Invalid
from chatapp.extensions import db
from chatapp.identity import SignedIn, current_person
from chatapp.models import Conversation, now
from chatapp.timeline import TimelineMessage, list_pending, page
from chatapp.timeline.read_state import get_read_state, list_read_states

TEMPLATES = {"general": "general/show.html", "room": "rooms/show.html", "direct": "direct/show.html"}


@dataclass(frozen=True, slots=True)
class ConversationView:
    """What a conversation's page shows."""

    name: str
    kind: str
    title: str
    topic: str
    path: str
    room: RoomSummary | None
    others: Sequence[Person]
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
    kept_last: int | None
    outgoing: TimelineMessage
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
    last_event: int
    unread: int
    mentions: int


def conversation_path(name: ConversationName) -> str:
    """Give the address of a conversation's page."""
    if name.kind == "general":
        return url_for("general.show")
    if name.kind == "room":
        return url_for("rooms.show", room_id=name.id)
    return direct_path(list_people(db.session(), [name.id])[name.id], current_person().id)


def direct_path(people: Sequence[Person], user_id: int) -> str:
    """Give the address at which a person sees the direct conversation of these people."""
    return url_for("direct.show", names=",".join(sorted(each.username for each in _shown(people, user_id))))


def direct_title(people: Sequence[Person], user_id: int) -> str:
    """Give what a person sees as the name of the direct conversation of these people."""
    shown = _shown(people, user_id)
    is_notepad = all(each.id == user_id for each in shown)
    return f"{shown[0].name} (you)" if is_notepad else ", ".join(each.name for each in shown)


def _shown(people: Sequence[Person], user_id: int) -> Sequence[Person]:
    """Give the others; in a conversation with oneself, oneself."""
    return [each for each in people if each.id != user_id] or people


def render_conversation(
    place: Place,
    *,
    before: str | None = None,
    draft: str = "",
    error: ChatError | None = None,
    blockable: Person | None = None,
    has_blocked: bool = False,
) -> str:
    """Draw the page with the last messages, or with those before the number `before`.

    Raises what `permit_reading` raises, and `Invalid` when `before` is no number.
    """
    person = current_person()
    conversation = permit_reading(*place)
    shown = page(db.session(), conversation, before=parse_seq(before))
    name = ConversationName(conversation.kind, conversation.id)
    keep_last = current_settings().general_keep_last
    is_direct = name.kind == "direct"
    people = list_people(db.session(), [name.id])[name.id] if is_direct else []
    view = ConversationView(
        name=conversation.wire_name,
        kind=name.kind,
        title=direct_title(people, person.id) if is_direct else conversation.name,
        topic=conversation.topic,
        path=conversation_path(name),
        room=get_summary(db.session(), conversation) if name.kind == "room" else None,
        others=_shown(people, person.id),
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
        kept_last=keep_last if keep_last and name.kind == "general" and person.is_admin else None,
        outgoing=_outgoing(person, conversation),
        client_id=str(uuid.uuid4()),
        draft=draft,
        error=error.message if error else None,
    )
    return render_template(TEMPLATES[name.kind], view=view)


def sidebar_items(person: SignedIn) -> list[ConversationItem]:
    """List what stands in a person's sidebar."""
    return conversation_items(person, list_conversations(db.session(), person.id))


def conversation_items(person: SignedIn, conversations: Sequence[Conversation]) -> list[ConversationItem]:
    """Give conversations as lists show them, with how much a person has not read in each."""
    people = list_people(db.session(), [each.id for each in conversations if each.kind == "direct"])
    states = list_read_states(db.session(), person.id)
    return [
        ConversationItem(
            label=direct_title(people[each.id], person.id) if each.id in people else each.name,
            href=(
                direct_path(people[each.id], person.id)
                if each.id in people
                else conversation_path(ConversationName(each.kind, each.id))
            ),
            conversation=each.wire_name,
            kind=each.kind,
            is_private=each.is_private,
            others=_shown(people.get(each.id, ()), person.id),
            last_event=each.last_event,
            unread=states[each.wire_name].unread,
            mentions=states[each.wire_name].mentions,
        )
        for each in conversations
    ]


def parse_seq(value: str | None) -> int | None:
    """Read a message's number from an address. Raises `Invalid`."""
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) <= 18):
        raise Invalid("before must be the number of a message.")
    return int(value)


def _outgoing(person: SignedIn, conversation: Conversation) -> TimelineMessage:
    """Make the blank that the page draws a message on its way with."""
    return TimelineMessage(
        conversation=conversation.wire_name,
        id=None,
        seq=None,
        version=None,
        sender=person.as_person(),
        sender_type="user",
        message_type="text",
        content="",
        client_id=None,
        created_at=now(),
    )
