"""A conversation's page, the same for each kind but for its template."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from flask import render_template, url_for

from chatapp.config import current_settings
from chatapp.conversations.names import ConversationName
from chatapp.conversations.policy import is_manager, permit_posting, permit_reading
from chatapp.conversations.queries import (
    Place,
    RoomSummary,
    get_epoch,
    get_summary,
    list_conversations,
)
from chatapp.errors import ChatError, Invalid
from chatapp.extensions import db
from chatapp.identity import SignedIn, current_person
from chatapp.models import Conversation, now
from chatapp.timeline import Sender, TimelineMessage, list_pending, page


@dataclass(frozen=True, slots=True)
class ConversationView:
    """What a conversation's page shows."""

    name: str
    title: str
    topic: str
    path: str
    room: RoomSummary | None
    is_archived: bool
    messages: Sequence[TimelineMessage]
    has_older: bool
    oldest_seq: int | None
    is_latest: bool
    cursor: int
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
class SidebarItem:
    """A line of the sidebar."""

    label: str
    href: str
    conversation: str
    kind: str
    is_private: bool


def conversation_path(name: ConversationName) -> str:
    """Give the address of a conversation's page."""
    return url_for("general.show") if name.kind == "general" else url_for("rooms.show", room_id=name.id)


def render_conversation(
    place: Place, *, before: str | None = None, draft: str = "", error: ChatError | None = None
) -> str:
    """Draw the page with the last messages, or with those before the number `before`.

    Raises what `permit_reading` raises, and `Invalid` when `before` is no number.
    """
    person = current_person()
    conversation = permit_reading(*place)
    shown = page(db.session(), conversation, before=parse_seq(before))
    name = ConversationName(conversation.kind, conversation.id)
    keep_last = current_settings().general_keep_last
    view = ConversationView(
        name=conversation.wire_name,
        title=conversation.name,
        topic=conversation.topic,
        path=conversation_path(name),
        room=None if name.kind == "general" else get_summary(db.session(), conversation),
        is_archived=conversation.is_archived,
        messages=[*shown.messages, *(list_pending(conversation) if before is None else ())],
        has_older=shown.has_older,
        oldest_seq=shown.oldest_seq,
        is_latest=before is None,
        cursor=conversation.last_event,
        floor=conversation.floor,
        epoch=get_epoch(db.session()),
        may_post=_may_post(place),
        may_manage=is_manager(place.membership),
        kept_last=keep_last if keep_last and name.kind == "general" and person.is_admin else None,
        outgoing=_outgoing(person, conversation),
        client_id=str(uuid.uuid4()),
        draft=draft,
        error=error.message if error else None,
    )
    return render_template("general/show.html" if name.kind == "general" else "rooms/show.html", view=view)


def sidebar_items(person: SignedIn) -> list[SidebarItem]:
    """List what stands in a person's sidebar."""
    return [
        SidebarItem(
            label=conversation.name,
            href=conversation_path(ConversationName(conversation.kind, conversation.id)),
            conversation=conversation.wire_name,
            kind=conversation.kind,
            is_private=conversation.is_private,
        )
        for conversation in list_conversations(db.session(), person.id)
    ]


def parse_seq(value: str | None) -> int | None:
    """Read a message's number from an address. Raises `Invalid`."""
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) <= 18):
        raise Invalid("before must be the number of a message.")
    return int(value)


def _may_post(place: Place) -> bool:
    try:
        permit_posting(*place)
    except ChatError:
        return False
    return True


def _outgoing(person: SignedIn, conversation: Conversation) -> TimelineMessage:
    """Make the blank that the page draws a message on its way with."""
    return TimelineMessage(
        conversation=conversation.wire_name,
        id=None,
        seq=None,
        version=None,
        sender=Sender(person.id, person.username, person.name),
        sender_type="user",
        message_type="text",
        content="",
        client_id=None,
        created_at=now(),
    )
