"""JSON responses, with pagination links."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import orjson
from flask import Response, request

from chatapp.api import resources
from chatapp.api.queries import ConversationPage
from chatapp.api.schemas import CursorQuery, MessagesQuery, PageQuery, RepliesQuery, SearchQuery, VersionsQuery
from chatapp.conversations.people import Person
from chatapp.conversations.preferences import Preferences
from chatapp.conversations.queries import ConversationAccess
from chatapp.presentation.avatars import conversation_avatar_path
from chatapp.presentation.kinds import direct_title
from chatapp.presentation.messages import isoformat, present_message_data, present_person, present_versions
from chatapp.presentation.resources import PinnedMessage as PinnedMessageResource
from chatapp.presentation.threads import present_thread_state
from chatapp.storage import ListPage
from chatapp.timeline import Page, TimelineMessage
from chatapp.timeline.pins import PinnedMessage
from chatapp.timeline.threads import ThreadState
from chatapp.timeline.versions import VersionPage

CACHED_MESSAGES = 5_000
"""Maximum number of messages that are kept as JSON. The key is the message with all its values."""

MAX_CACHED_CHARS = 1_000
"""Length of a message up to which it is kept."""


@dataclass(frozen=True, slots=True)
class Links:
    """The URLs of the first page and of the pages beside this one."""

    first: str
    previous: str | None
    next: str | None

    @property
    def header(self) -> str:
        """The `Link` header (RFC 8288)."""
        targets = {"first": self.first, "prev": self.previous, "next": self.next}
        return ", ".join(f'<{target}>; rel="{relation}"' for relation, target in targets.items() if target)


def respond(body: Mapping[str, object], status: HTTPStatus = HTTPStatus.OK, **headers: str) -> Response:
    """Return a JSON response that is not cached."""
    response = Response(orjson.dumps(body), status=status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    response.headers.extend(headers)
    return response


def respond_messages(conversation: str | None, total: int, page: Page, query: MessagesQuery) -> Response:
    """Return a page of a conversation's messages."""
    seqs = [message.seq for message in page.messages if message.seq is not None]
    links = _make_number_links(query, seqs, has_older=page.has_older, has_newer=page.has_newer)
    body: resources.Messages = {
        **list_fields(total, query, links),
        "conversation": conversation,
        "messages": [],
    }
    # The messages are encoded already, for which the type of the body has no name.
    return respond({**body, "messages": [_encode(message) for message in page.messages]}, Link=links.header)


def _encode(message: TimelineMessage) -> orjson.Fragment:
    is_short = len(message.content) <= MAX_CACHED_CHARS
    return orjson.Fragment((_encode_cached if is_short else _encode_data)(message))


def _encode_data(message: TimelineMessage) -> bytes:
    return orjson.dumps(present_message_data(message))


_encode_cached = lru_cache(CACHED_MESSAGES)(_encode_data)


def respond_thread(state: ThreadState, root: TimelineMessage | None, page: Page, query: RepliesQuery) -> Response:
    """Return a page of the replies in a thread."""
    seqs = [message.seq for message in page.messages if message.seq is not None]
    links = _make_number_links(query, seqs, has_older=page.has_older, has_newer=page.has_newer)
    body: resources.ThreadMessages = {
        "thread": present_thread_state(state),
        "root": None if root is None else present_message_data(root),
        "messages": [],
        "limit": query.limit,
        "next": links.next,
        "previous": links.previous,
    }
    return respond({**body, "messages": [_encode(message) for message in page.messages]}, Link=links.header)


def respond_versions(conversation: str, seq: int, page: VersionPage, query: VersionsQuery) -> Response:
    """Return a page of the earlier versions of a message."""
    numbers = [each.version for each in page.versions]
    links = _make_number_links(query, numbers, has_older=page.has_older, has_newer=page.has_newer)
    body: resources.MessageVersions = {
        **list_fields(page.total, query, links),
        "conversation": conversation,
        "seq": seq,
        "versions": present_versions(page.versions),
    }
    return respond(body, Link=links.header)


def respond_conversations(
    page: ConversationPage,
    people: Mapping[int, Sequence[Person]],
    public_ids: Collection[int],
    user_id: int,
    query: PageQuery,
) -> Response:
    """Return a page of a user's conversations. `people` has the people of the direct ones."""
    accesses = [(access, access.conversation.id) for access in page.accesses if access.conversation is not None]
    ids = [conversation_id for _, conversation_id in accesses]
    links = _make_number_links(query, ids, has_older=page.has_older, has_newer=page.has_newer)
    body: resources.Conversations = {
        **list_fields(page.total, query, links),
        "conversations": [
            present_conversation(access, people.get(conversation_id), user_id, is_public=conversation_id in public_ids)
            for access, conversation_id in accesses
        ],
    }
    return respond(body, Link=links.header)


def present_conversation(
    access: ConversationAccess, people: Sequence[Person] | None, user_id: int, *, is_public: bool
) -> resources.Conversation:
    """Return a conversation as the user sees it. `people` are those of a direct conversation."""
    conversation, membership = access
    assert conversation is not None  # noqa: S101 - the caller has authorised reading it
    data: resources.Conversation = {
        "conversation": conversation.wire_name,
        "id": conversation.id,
        "kind": conversation.kind,
        "name": conversation.name if people is None else direct_title(people, user_id),
        "topic": conversation.topic,
        "is_private": conversation.is_private,
        "is_archived": conversation.is_archived,
        "is_public": is_public,
        "role": None if membership is None else membership.role,
        "people": None if people is None else [present_person(person) for person in people],
        "total": conversation.message_count,
        "last_event": conversation.last_event,
        "floor": conversation.floor,
        "last_read_seq": None if membership is None else membership.last_read_seq,
        "updated_at": isoformat(conversation.updated_at),
    }
    if path := conversation_avatar_path(conversation.wire_name, conversation.avatar_digest):
        data["avatar_url"] = path
    return data


def present_pinned(pinned: PinnedMessage) -> PinnedMessageResource:
    """Return a pinned message, and who pinned it."""
    person = pinned.pinned_by
    return {
        "message": present_message_data(pinned.message),
        "pinned_by": None if person is None else present_person(person),
        "pinned_at": isoformat(pinned.pinned_at),
    }


def present_preferences(conversation: str, preferences: Preferences) -> resources.Preferences:
    """Return what the user has set for a conversation."""
    return {
        "conversation": conversation,
        "notification_level": preferences.notification_level,
        "is_muted": preferences.is_muted,
        "is_favorite": preferences.is_favorite,
    }


def list_fields(total: int, query: PageQuery | CursorQuery, links: Links) -> resources.ListResponse:
    """Return what all lists have in common."""
    return {"total": total, "limit": query.limit, "next": links.next, "previous": links.previous}


def make_links(query: PageQuery | CursorQuery, page: ListPage[Any]) -> Links:
    """Return the links of a page of a list."""
    return Links(
        first=_make_url(query, after=0) if isinstance(query, PageQuery) else _make_url(query),
        previous=None if page.previous is None else _make_url(query, before=page.previous),
        next=None if page.next is None else _make_url(query, after=page.next),
    )


def make_search_links(query: SearchQuery, next_cursor: int | None) -> Links:
    """Return the links of a part of what was found, which lead forwards only."""
    text = {"q": query.q, "order": query.order, "limit": query.limit}
    following = None if next_cursor is None else f"{request.path}?{urlencode({**text, 'before': next_cursor})}"
    return Links(first=f"{request.path}?{urlencode(text)}", previous=None, next=following)


def _make_number_links(query: PageQuery, numbers: Sequence[int], *, has_older: bool, has_newer: bool) -> Links:
    first, last = _find_bounds(query, numbers)
    return Links(
        first=_make_url(query, after=0),
        previous=_make_url(query, before=first) if has_older else None,
        next=_make_url(query, after=last) if has_newer else None,
    )


def _find_bounds(query: PageQuery, numbers: Sequence[int]) -> tuple[int, int]:
    """Return the first and the last number of a page. For an empty page derive them from its cursor."""
    if numbers:
        return numbers[0], numbers[-1]
    if query.after is not None:
        return min(query.after + 1, query.max_cursor), query.after
    before = query.before or 0
    return before, max(before - 1, 0)


def _make_url(query: PageQuery | CursorQuery, **cursor: int | str) -> str:
    return f"{request.path}?{urlencode(cursor | query.list_filters() | {'limit': query.limit})}"
