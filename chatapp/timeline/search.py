"""Searching all messages that a person may read.

The conversations that they may read are part of the query, so that nothing else is found or counted.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Literal

from sqlalchemy.orm import Session

from chatapp.actors import Actor, require_active_login
from chatapp.concurrency.cooperation import in_slices
from chatapp.concurrency.one_at_a_time import OneAtATime, SupersededError
from chatapp.conversations.queries import ReadableConversation
from chatapp.errors import RateLimited, TooComplex
from chatapp.extensions import db
from chatapp.models import now
from chatapp.search.index import get_position
from chatapp.search.query import Query, parse_query
from chatapp.storage import read_from_replica, read_natively
from chatapp.timeline.index_search import FoundKey
from chatapp.timeline.messages import TimelineMessage, fetch_messages_of
from chatapp.timeline.search_plan import plan_search

MAX_HITS = 100
"""Maximum number of hits that are returned at once."""

MAX_WAITING_SEARCHES = 3
"""Searches of one login that wait for the one that runs, in one process. The oldest of more is refused."""

Order = Literal["newest", "best"]

_searches = OneAtATime(max_waiting=MAX_WAITING_SEARCHES)


@dataclass(frozen=True, slots=True)
class Hit:
    """A message that was found."""

    message: TimelineMessage
    conversation: ReadableConversation


@dataclass(frozen=True, slots=True)
class Hits:
    """Messages that were found, and where the next ones begin."""

    hits: Sequence[Hit]
    next: int | None
    """What to pass as `before` to find the following ones; None if there are none."""
    is_indexing: bool
    """Whether older messages are still being indexed, so that some are not found."""
    query: Query


def find_messages(
    actor: Actor,
    text_: str,
    *,
    before: int | None = None,
    limit: int = 20,
    order: Order = "newest",
    zone: tzinfo = UTC,
) -> Hits:
    """Find messages that the actor may read. `zone` is their time zone, for dates.

    `before` is the `next` of the hits that these follow. Raises `SignedOut`, `Busy`, `TooComplex`, and `RateLimited` if
    newer searches of the same login wait.
    """
    query = parse_query(text_, today=now().astimezone(zone).date(), zone=zone)
    with _turn(actor):
        return run_query(actor, query, before=before, limit=limit, order=order)


def run_query(
    actor: Actor,
    query: Query,
    *,
    before: int | None = None,
    limit: int = 20,
    order: Order = "newest",
    includes: Callable[[ReadableConversation], bool] = lambda _conversation: True,
) -> Hits:
    """Find messages as `find_messages` does, only in those conversations that `includes` accepts."""
    session = db.session()
    require_active_login(session, actor)
    is_indexing = get_position(session.connection()) > 0
    search = plan_search(session, actor, query, includes)
    is_best = order == "best" and bool(query.terms)
    limit = min(limit, MAX_HITS)
    if search is None:
        return Hits((), None, is_indexing, query)

    best: Sequence[FoundKey] | None = None

    def read(reading: Session) -> list[TimelineMessage]:
        found = search.find(reading, before, limit + 1) if best is None else best
        refs = {each.id: search.conversations[each.conversation_id].ref for each in found}
        messages = fetch_messages_of(reading, refs)
        return [messages[each.id] for each in found if each.id in messages]

    def is_authorized(messages: list[TimelineMessage]) -> bool:
        # What was posted or edited later may be in a conversation that the person was removed from meanwhile.
        return all((each.version or 0) <= search.conversations[each.conversation.id].last_event for each in messages)

    with _explaining_limits():
        if is_best:
            # Ranked here in slices: a native thread would take the interpreter from the event loop.
            with in_slices():
                candidates = read_from_replica(session, search.read_candidates, is_search=True)
                best = search.choose_best(candidates, before or 0, limit + 1)
        messages = read_from_replica(session, read, accepts=is_authorized, is_search=True)
    following = None
    if len(messages) > limit:
        messages = messages[:limit]
        following = (before or 0) + limit if is_best else messages[-1].id
    hits = [Hit(message, search.conversations[message.conversation.id]) for message in messages]
    return Hits(hits, following, is_indexing, query)


def count_messages(actor: Actor, text_: str, *, zone: tzinfo = UTC) -> int:
    """Return the number of messages that `find_messages` finds, up to `MAX_COUNT`; one more if there are more."""
    query = parse_query(text_, today=now().astimezone(zone).date(), zone=zone)
    with _turn(actor):
        session = db.session()
        require_active_login(session, actor)
        search = plan_search(session, actor, query)
        if search is None:
            return 0
        # On the primary: nobody could check what a replica has counted.
        with _explaining_limits():
            return read_natively(session, search.count, is_search=True)


@contextmanager
def _turn(actor: Actor) -> Iterator[None]:
    """Let each login search once at a time: somebody who types begins many searches, and reads the last one."""
    if _searches.is_running(actor):
        db.session.remove()  # Otherwise it would hold a connection during the wait.
    try:
        with _searches.run(actor):
            yield
    except SupersededError:
        raise RateLimited("Newer searches of yours wait. Try again in a moment.", retry_after=1) from None


@contextmanager
def _explaining_limits() -> Iterator[None]:
    try:
        yield
    except TooComplex as error:
        message = "This search takes too long. Search for rarer words, or add filters such as in:, from: or after:."
        raise TooComplex(message) from error
