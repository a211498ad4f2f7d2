"""Messages that were found, as the page of the search shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from flask import url_for
from sqlalchemy import select
from sqlalchemy.orm import Session

from chatapp.models import Conversation
from chatapp.presentation.kinds import pages_of
from chatapp.presentation.quotes import list_excerpt_texts
from chatapp.search.excerpts import Excerpt, make_excerpts_of_alternatives
from chatapp.search.query import PERIODS, find_filters
from chatapp.timeline import TimelineMessage
from chatapp.timeline.search import Hits

SUGGESTED_FILTERS = (
    "from:me",
    "has:link",
    "has:file",
    "has:code",
    "has:reaction",
    "has:pin",
    "has:thread",
    "is:saved",
    "is:unread",
    "is:mention",
    "during:last-week",
)
"""The filters that are added with a click."""


@dataclass(frozen=True, slots=True)
class FilterHelp:
    """A filter as the completions and the tips describe it."""

    name: str
    description: str
    values: Sequence[tuple[str, str]] = ()
    """Values with their descriptions."""
    source: str = ""
    """The path of further values."""


@dataclass(frozen=True, slots=True)
class FilterLink:
    """A filter that a click removes or adds, and the query without or with it."""

    text: str
    words: str


@dataclass(frozen=True, slots=True)
class FilterLinks:
    """The filters of a query, and those that could be added."""

    chosen: Sequence[FilterLink]
    suggested: Sequence[FilterLink]


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


def describe_filters(today: date) -> Sequence[FilterHelp]:
    """Return all filters, with the dates that people need most."""
    people = url_for("destinations.people")
    week = today - timedelta(days=7)
    days = (("today", "Today"), ("yesterday", "Yesterday"), (week.isoformat(), "A week ago"))
    return (
        FilterHelp("from", "Messages from a person", (("me", "Your own messages"),), people),
        FilterHelp("in", "Messages in a conversation", source=url_for("destinations.conversations")),
        FilterHelp("with", "Direct messages with a person", source=people),
        FilterHelp(
            "has",
            "Messages with",
            (
                ("link", "Links"),
                ("file", "Files"),
                ("code", "Code"),
                ("reaction", "Reactions"),
                ("pin", "Pinned messages"),
                ("thread", "Messages with replies in a thread"),
            ),
        ),
        FilterHelp(
            "is",
            "Messages that are",
            (
                ("saved", "Saved by you"),
                ("unread", "Unread"),
                ("mention", "Mentioning you"),
                ("thread", "Replies in threads"),
            ),
        ),
        FilterHelp("before", "Messages before a day", days),
        FilterHelp("after", "Messages after a day", days),
        FilterHelp("on", "Messages of a day", days),
        FilterHelp(
            "during", "Messages of a time", [(period, period.replace("-", " ").capitalize()) for period in PERIODS]
        ),
    )


def list_filters(words: str, today: date) -> FilterLinks:
    """Return the filters of a query, and those that could be added to it."""
    chosen = [
        FilterLink(words[begin:end], f"{words[:begin].rstrip()} {words[end:].lstrip()}".strip() + " ")
        for begin, end in find_filters(words, today=today)
    ]
    used = {each.text.lower() for each in chosen}
    suggested = [
        FilterLink(each, f"{words.rstrip()} {each} ".lstrip()) for each in SUGGESTED_FILTERS if each not in used
    ]
    return FilterLinks(chosen, suggested)


def present_hits(session: Session, hits: Hits, viewer_id: int) -> Sequence[FoundMessage]:
    """Return what a page shows of messages that were found."""
    ids = {hit.message.conversation.id for hit in hits.hits}
    conversations = session.scalars(select(Conversation).where(Conversation.id.in_(ids))).all() if ids else []
    pages = pages_of(session, conversations, viewer_id)
    titles = {each.id: page.title for each, page in zip(conversations, pages, strict=True)}
    messages = [hit.message for hit in hits.hits]
    excerpts = make_excerpts_of_alternatives(map(list_excerpt_texts, messages), hits.query.terms)
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
