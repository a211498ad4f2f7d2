"""How answers are made: what they carry, and the addresses of what comes before and after."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import orjson
from flask import Response, request

from chatapp.api.queries import Places
from chatapp.api.schemas import PageQuery
from chatapp.conversations.people import Person
from chatapp.conversations.queries import ConversationAccess
from chatapp.presentation.conversations import direct_title
from chatapp.presentation.messages import isoformat, present_message_data
from chatapp.timeline import Page


def answer(body: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK, **headers: str) -> Response:
    """Answer with JSON."""
    response = Response(orjson.dumps(body), status=status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    response.headers.extend(headers)
    return response


def answer_messages(conversation: str | None, total: int, shown: Page, query: PageQuery) -> Response:
    """Answer with a stretch of a conversation."""
    seqs = [message.seq for message in shown.messages if message.seq is not None]
    body = {"conversation": conversation, "messages": [present_message_data(message) for message in shown.messages]}
    return _answer_stretch(body, total, query, seqs, has_older=shown.has_older, has_newer=shown.has_newer)


def answer_conversations(
    shown: Places, people: Mapping[int, Sequence[Person]], user_id: int, query: PageQuery
) -> Response:
    """Answer with some of a person's conversations."""
    found = [(place, place.conversation.id) for place in shown.places if place.conversation is not None]
    body = {"conversations": [present_place(place, people.get(number), user_id) for place, number in found]}
    ids = [number for _, number in found]
    return _answer_stretch(body, shown.total, query, ids, has_older=shown.has_older, has_newer=shown.has_newer)


def present_place(place: ConversationAccess, people: Sequence[Person] | None, user_id: int) -> dict[str, Any]:
    """Give a conversation as one person sees it, with the people of a direct one."""
    conversation, membership = place
    assert conversation is not None  # noqa: S101 - whoever may read it has found it
    return {
        "conversation": conversation.wire_name,
        "id": conversation.id,
        "kind": conversation.kind,
        "name": conversation.name if people is None else direct_title(people, user_id),
        "topic": conversation.topic,
        "is_private": conversation.is_private,
        "is_archived": conversation.is_archived,
        "role": membership and membership.role,
        "people": people and [{"id": each.id, "username": each.username, "name": each.name} for each in people],
        "total": conversation.message_count,
        "last_event": conversation.last_event,
        "floor": conversation.floor,
        "last_read_seq": membership and membership.last_read_seq,
        "updated_at": isoformat(conversation.updated_at),
    }


def _answer_stretch(
    body: dict[str, Any], total: int, query: PageQuery, numbers: Sequence[int], *, has_older: bool, has_newer: bool
) -> Response:
    first, last = _ends(query, numbers)
    links = {
        "first": _address(query, after=0),
        "prev": _address(query, before=first) if has_older else None,
        "next": _address(query, after=last) if has_newer else None,
    }
    header = ", ".join(f'<{target}>; rel="{relation}"' for relation, target in links.items() if target)
    stretch = {"total": total, "limit": query.limit, "next": links["next"], "previous": links["prev"]}
    return answer(stretch | body, Link=header)


def _ends(query: PageQuery, numbers: Sequence[int]) -> tuple[int, int]:
    """Give the first and the last number of a stretch; of an empty one where it lies."""
    if numbers:
        return numbers[0], numbers[-1]
    if query.after is not None:
        return min(query.after + 1, query.last), query.after
    before = query.before or 0
    return before, max(before - 1, 0)


def _address(query: PageQuery, **cursor: int) -> str:
    return f"{request.path}?{urlencode(cursor | {'limit': query.limit})}"
