"""Messages that were found, as the page of the search shows them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatapp.models import Conversation
from chatapp.presentation.kinds import pages_of
from chatapp.presentation.quotes import hide_spoilers
from chatapp.search.excerpts import Excerpt, make_excerpts
from chatapp.timeline import TimelineMessage
from chatapp.timeline.search import Hits


@dataclass(frozen=True, slots=True)
class ExcerptPart:
    """A part of an excerpt that matches, or one between two that do."""

    text: str
    is_match: bool


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """A message, the title of its conversation, and an excerpt of its text."""

    message: TimelineMessage
    title: str
    parts: Sequence[ExcerptPart]
    has_before: bool
    has_after: bool


def present_hits(session: Session, hits: Hits, viewer_id: int) -> Sequence[FoundMessage]:
    """Return what a page shows of messages that were found."""
    ids = {hit.message.conversation.id for hit in hits.hits}
    conversations = session.scalars(select(Conversation).where(Conversation.id.in_(ids))).all() if ids else []
    pages = pages_of(session, conversations, viewer_id)
    titles = {each.id: page.title for each, page in zip(conversations, pages, strict=True)}
    messages = [hit.message for hit in hits.hits]
    excerpts = make_excerpts((hide_spoilers(message.content) for message in messages), hits.query.terms)
    return [
        FoundMessage(
            message,
            # A conversation that was deleted meanwhile has no title.
            titles.get(message.conversation.id, ""),
            split(excerpt),
            excerpt.has_before,
            excerpt.has_after,
        )
        for message, excerpt in zip(messages, excerpts, strict=True)
    ]


def split(excerpt: Excerpt) -> Sequence[ExcerptPart]:
    """Return the parts of an excerpt, in its order."""
    parts, position = [], 0
    for begin, end in excerpt.ranges:
        parts += [ExcerptPart(excerpt.text[position:begin], False), ExcerptPart(excerpt.text[begin:end], True)]
        position = end
    parts.append(ExcerptPart(excerpt.text[position:], False))
    return [part for part in parts if part.text]
