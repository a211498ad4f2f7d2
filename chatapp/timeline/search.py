"""Searching all messages that a person may read.

The conversations that they may read are part of the query, so that nothing else is found or counted.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, timedelta, tzinfo
from typing import Any, Literal, NamedTuple, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Table,
    and_,
    column,
    func,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.orm import Session, aliased

from chatapp.actors import Actor, require_active_login
from chatapp.concurrency.cooperation import checkpoint, in_slices
from chatapp.concurrency.turns import SupersededError, Turns
from chatapp.conversations.kinds import Direct
from chatapp.conversations.queries import ReadableConversation, list_readable
from chatapp.errors import RateLimited, TooComplex
from chatapp.extensions import db
from chatapp.models import Membership, Mention, Message, Pin, Reaction, SavedMessage, Thread, User, now
from chatapp.models.messages import RUNNING_STATES
from chatapp.search.expressions import Expression
from chatapp.search.index import (
    BARRIER,
    Has,
    Scope,
    get_position,
    list_date_tokens,
    scope_token,
    sender_name_token,
)
from chatapp.search.query import Filter, Phrase, Query, Term, parse_query
from chatapp.search.ranking import MAX_RANKED_CHARS, order_best
from chatapp.storage import INTEGER, encode_rows, equals_folded, parameter_rows, read_from_replica, read_natively
from chatapp.text import fold
from chatapp.timeline.messages import TimelineMessage, fetch_messages_of

MAX_HITS = 100
"""Maximum number of hits that are returned at once."""

MAX_COUNT = 1_000
"""Up to this number, hits are counted exactly."""

MAX_RANKED = 10_000
"""Number of the newest matches that are ranked to find the best ones."""

MAX_SCOPE_CONVERSATIONS = 500
"""Up to this number of conversations, the index is asked for their tokens: 0.03 ms for each on SQLite."""

MAX_WAITING_SEARCHES = 3
"""Searches of one login that wait for the one that runs, in one process. The oldest of more is refused."""

SMALL_SHARE = 20
"""A person who can read less than this fraction of all messages is asked for by tokens of conversations."""

WINDOWS = (2_000, 20_000, 200_000)
"""On PostgreSQL, numbers of ids that are scanned before the index is used: what is common is found there."""

MAX_WINDOW_SHARE = 2_000
"""Windows of more ids than this, for each message that is wanted, are left out."""

MAX_SELECTED = 1_000
"""Up to this number of messages that a filter selects, each is looked up in the index: 0.1 ms."""

ROWS_AT_ONCE = 500
"""Rows of PostgreSQL that the driver converts before others get their turn."""

_MESSAGES = cast(Table, Message.__table__)
_ID = _MESSAGES.c.id
_SQLITE = table("message_search", column("rowid", BigInteger))
_POSTGRESQL = table("message_search", column("message_id", BigInteger), column("tokens"))
_HAS_ENDED = or_(_MESSAGES.c.state.is_(None), _MESSAGES.c.state.not_in(RUNNING_STATES))
_CONVERSATION_IDS = parameter_rows("conversations", id=INTEGER)
_SELECTED_IDS = parameter_rows("selected", id=INTEGER)

_FTS5_MATCHES = text("message_search MATCH :match")
_TSQUERY_MATCHES = text("tokens @@ CAST(:match AS tsquery)")
_EXPLAIN_MATCHES = text("EXPLAIN (FORMAT JSON) SELECT FROM message_search WHERE tokens @@ CAST(:match AS tsquery)")

_UNREAD = Filter("is", "unread")

Order = Literal["newest", "best"]

_turns = Turns(max_waiting=MAX_WAITING_SEARCHES)


def _is_found(*, is_sqlite: bool) -> ColumnElement[bool]:
    """Return the condition that the index finds a message. Each message is looked up in it."""
    if is_sqlite:
        entry = select(_SQLITE.c.rowid).where(_FTS5_MATCHES, _SQLITE.c.rowid == _ID)
    else:
        entry = select(_POSTGRESQL.c.message_id).where(_TSQUERY_MATCHES, _POSTGRESQL.c.message_id == _ID)
    return entry.correlate(_MESSAGES).exists()


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


def _is_sqlite(session: Session) -> bool:
    return session.connection().dialect.name == "sqlite"


class _Found(NamedTuple):
    id: int
    conversation_id: int


@dataclass(frozen=True, slots=True)
class _Search:
    """A query with what it means for one person."""

    expression: Expression
    conversations: Mapping[int, ReadableConversation]
    """The conversations that are searched."""
    conditions: Sequence[ColumnElement[bool]]
    """Conditions on the messages that the tokens do not decide."""
    is_scoped: bool
    """Whether the tokens limit it to a small part of the messages."""
    selected: Collection[int] | None
    """The few ids of messages that filters select; None if it is not that they do."""
    is_newest_first: bool
    """Whether most of the newest messages are found, so that they are read one after the other."""

    def find(self, session: Session, before: int | None, limit: int) -> Sequence[_Found]:
        """Return the keys of the newest messages that are found, below the id `before`."""
        return [_Found(*row) for row in self._read(session, before, limit)]

    def read_candidates(self, session: Session) -> Sequence[Sequence[Any]]:
        """Return id, conversation id and beginning of the newest messages that are found, to choose the best ones."""
        return self._read(session, None, MAX_RANKED, func.substr(_MESSAGES.c.content, 1, MAX_RANKED_CHARS))

    def choose_best(self, candidates: Sequence[Sequence[Any]], offset: int, limit: int) -> Sequence[_Found]:
        """Return the keys of the best of the candidates, in their order."""
        order = order_best([content for _, _, content in candidates], self.expression.terms)
        return [_Found(*candidates[index][:2]) for index in order[offset : offset + limit]]

    def count(self, session: Session) -> int:
        """Return the number of messages, at most `MAX_COUNT` and one."""
        return len(self._read(session, None, MAX_COUNT + 1))

    def _read(
        self, session: Session, before: int | None, limit: int, *columns: ColumnElement[Any]
    ) -> list[Sequence[Any]]:
        """Return id, conversation id and other columns of the newest messages that are found.

        The index of PostgreSQL has no order: what is common is found among the newest messages, and what is rare by the
        index.
        """
        if _is_sqlite(session) or self.is_scoped or self.selected is not None or not self.expression.has_required():
            return self._run(session, self._select(before, *columns, is_sqlite=_is_sqlite(session)), limit)
        last = session.execute(select(func.coalesce(func.max(_ID), 0))).scalar_one() + 1
        end = min(before, last) if before is not None else last
        found: list[Sequence[Any]] = []
        windows = () if self._is_rare(session, limit, last) else WINDOWS
        for window in (*(each for each in windows if each < limit * MAX_WINDOW_SHARE), None):
            begin = 0 if window is None else max(end - window, 0)
            found += self._run(session, self._select(end, *columns, is_sqlite=False, begin=begin), limit - len(found))
            end = begin
            if len(found) >= limit or not begin:
                break
        return found

    def _is_rare(self, session: Session, limit: int, last: int) -> bool:
        """Return whether PostgreSQL finds the hits faster by the index, according to its statistics.

        The index returns all entries; of the newest messages, `limit * last / entries` contain `limit` hits. An entry
        takes half the time of a message.
        """
        plan = session.execute(_EXPLAIN_MATCHES, {"match": self.expression.to_tsquery()}).scalar_one()
        entries: int = plan[0]["Plan"]["Plan Rows"]
        return entries * entries <= 2 * limit * last

    def _select(self, before: int | None, *others: ColumnElement[Any], is_sqlite: bool, begin: int = 0) -> Select[Any]:
        """Select the ids of the messages, with those of their conversations and other columns, the newest first."""
        columns = [_ID, _MESSAGES.c.conversation_id, *others]
        # As an expression, the column makes no database read the conversations one by one.
        conversation_id = _MESSAGES.c.conversation_id + 0 if self.is_newest_first else _MESSAGES.c.conversation_id
        conditions = [
            conversation_id.in_(select(_CONVERSATION_IDS.c.id)),
            _MESSAGES.c.deleted_at.is_(None),
            *self.conditions,
        ]
        if before is not None:
            conditions.append(_MESSAGES.c.id < before)
        has_required = self.expression.has_required()
        if self.selected is not None or not has_required:
            conditions += [_MESSAGES.c.content != "", _HAS_ENDED]
            if self.selected is not None:
                conditions.append(_ID.in_(select(_SELECTED_IDS.c.id)))
            if has_required or self.expression.excluded:
                is_found = _is_found(is_sqlite=is_sqlite)
                conditions.append(is_found if has_required else ~is_found)
            return select(*columns).where(*conditions).order_by(_ID.desc())
        if is_sqlite:
            # The order of the index: by the id of the messages, SQLite would sort all that match.
            row_id = _SQLITE.c.rowid
            if before is not None:
                conditions.append(row_id < before)
            source = _SQLITE.join(_MESSAGES, row_id == _ID)
            return select(*columns).select_from(source).where(_FTS5_MATCHES, *conditions).order_by(row_id.desc())
        # Materialized, as the planner may prefer to look at the newest of all messages one by one.
        within = [_POSTGRESQL.c.message_id >= begin]
        if before is not None:
            within.append(_POSTGRESQL.c.message_id < before)
        entries = (
            select(_POSTGRESQL.c.message_id)
            .where(_TSQUERY_MATCHES, *within)
            .cte("matching")
            .prefix_with("MATERIALIZED")
        )
        source = entries.join(_MESSAGES, entries.c.message_id == _ID)
        return select(*columns).select_from(source).where(*conditions).order_by(_ID.desc())

    def _run(self, session: Session, query: Select[Any], limit: int) -> list[Sequence[Any]]:
        found: list[Sequence[Any]] = []
        for rows in session.execute(query.limit(limit), self._parameters(session)).partitions(ROWS_AT_ONCE):
            found += rows
            checkpoint()
        return found

    def _parameters(self, session: Session) -> dict[str, object]:
        is_sqlite = _is_sqlite(session)
        parameters: dict[str, object] = {"conversations": encode_rows((each,) for each in self.conversations)}
        if self.selected is not None:
            parameters["selected"] = encode_rows((each,) for each in self.selected)
        if self.expression.has_required():
            parameters["match"] = self.expression.to_fts5() if is_sqlite else self.expression.to_tsquery()
        elif self.expression.excluded:
            excluded = self.expression.any_excluded()
            parameters["match"] = excluded.to_fts5() if is_sqlite else excluded.to_tsquery()
        return parameters


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
    search = _plan(session, actor, query, includes)
    is_best = order == "best" and bool(query.terms)
    limit = min(limit, MAX_HITS)
    if search is None:
        return Hits((), None, is_indexing, query)

    best: Sequence[_Found] | None = None

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
        search = _plan(session, actor, query)
        if search is None:
            return 0
        # On the primary: nobody could check what a replica has counted.
        with _explaining_limits():
            return read_natively(session, search.count, is_search=True)


@contextmanager
def _turn(actor: Actor) -> Iterator[None]:
    """Let each login search once at a time: somebody who types begins many searches, and reads the last one."""
    if _turns.is_taken(actor):
        db.session.remove()  # Otherwise it would hold a connection during the wait.
    try:
        with _turns.take(actor):
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


def _plan(
    session: Session,
    actor: Actor,
    query: Query,
    includes: Callable[[ReadableConversation], bool] = lambda _conversation: True,
) -> _Search | None:
    """Return what a query means for a person; None if it finds nothing."""
    if query.is_empty():
        return None
    readable = [each for each in list_readable(session, actor.user_id) if includes(each)]
    conversations = _choose_conversations(session, actor, query, readable)
    if _UNREAD in query.filters:
        conversations = _without_read(session, actor.user_id, conversations)
    senders = _find_senders(session, actor, query.list_values("from"))
    if not conversations or senders == []:
        return None
    scopes: list[Sequence[str]] = [senders] if senders else []
    total = session.execute(select(func.coalesce(func.max(_ID), 0))).scalar_one()
    reach = sum(each.message_count for each in conversations)
    is_scoped = len(conversations) <= MAX_SCOPE_CONVERSATIONS and reach * SMALL_SHARE <= total
    if is_scoped or (query.list_values("in") and len(conversations) <= MAX_SCOPE_CONVERSATIONS):
        scopes.append([scope_token(Scope.CONVERSATION, each.id) for each in conversations])
    conditions = _limit_dates(query, scopes)
    excluded = list(query.excluded)
    if not_from := query.list_values("from", is_excluded=True):
        excluded += [_as_term(token) for token in _find_senders(session, actor, not_from) or ()]
    for each in query.filters:
        token = _CONTENT_TOKENS.get((each.name, each.value))
        if token is not None and each.is_excluded:
            excluded.append(_as_term(token))
        elif token is not None:
            scopes.append([token])
    selected, selections = _select_by_filters(session, actor, query)
    return _Search(
        Expression(query.terms, scopes, excluded),
        {each.id: each for each in conversations},
        [*conditions, *selections],
        is_scoped,
        selected,
        is_newest_first=bool(selections) and selected is None and reach * SMALL_SHARE > total,
    )


def _select_by_filters(
    session: Session, actor: Actor, query: Query
) -> tuple[set[int] | None, list[ColumnElement[bool]]]:
    """Return the messages that filters select if they are few, and conditions for other filters."""
    selected: set[int] | None = None
    conditions: list[ColumnElement[bool]] = []
    for each in query.filters:
        if (selection := _SELECTIONS.get((each.name, each.value))) is None:
            continue
        chosen = selection(actor.user_id)
        few = None if each.is_excluded else _list_few(session, chosen)
        if few is not None:
            selected = few if selected is None else selected & few
        else:
            is_chosen = chosen.where(chosen.selected_columns[0] == _ID).correlate(_MESSAGES).exists()
            conditions.append(~is_chosen if each.is_excluded else is_chosen)
    return selected, conditions


def _list_few(session: Session, selection: Select[int]) -> set[int] | None:
    """Return the ids that are selected; None if they are many."""
    rows = session.scalars(selection.limit(MAX_SELECTED + 1)).all()
    return set(rows) if len(rows) <= MAX_SELECTED else None


def _without_read(
    session: Session, user_id: int, conversations: Iterable[ReadableConversation]
) -> list[ReadableConversation]:
    """Return those of the conversations that may have unread messages."""
    query = select(Membership.conversation_id, Membership.last_read_seq).where(Membership.user_id == user_id)
    read = {row.conversation_id: row.last_read_seq for row in session.execute(query)}
    return [each for each in conversations if each.last_event > read.get(each.id, each.last_event)]


def _limit_dates(query: Query, scopes: list[Sequence[str]]) -> list[ColumnElement[bool]]:
    """Return the conditions for the dates of a query, and add their tokens to the scopes."""
    if query.begins_at is None and query.ends_at is None:
        return []
    # Messages have the tokens of their days in UTC.
    first = query.begins_at.date() if query.begins_at else date.min
    last = query.ends_at.date() if query.ends_at else now().date() + timedelta(days=1)
    scopes.append(list_date_tokens(first, last) or [BARRIER])
    conditions = []
    if query.begins_at is not None:
        conditions.append(_MESSAGES.c.created_at >= query.begins_at)
    if query.ends_at is not None:
        conditions.append(_MESSAGES.c.created_at < query.ends_at)
    return conditions


def _as_term(token: str) -> Term:
    return (Phrase((token,)),)


def _choose_conversations(
    session: Session, actor: Actor, query: Query, readable: Sequence[ReadableConversation]
) -> list[ReadableConversation]:
    """Return those of the conversations that the filters `in:` and `with:` select."""
    places, people = query.list_values("in"), query.list_values("with")
    not_places, not_people = (query.list_values(name, is_excluded=True) for name in ("in", "with"))
    if not (places or people or not_places or not_people):
        return list(readable)
    members = _list_direct_members(session, readable)

    def is_named(conversation: ReadableConversation, value: str) -> bool:
        # A direct conversation has no name.
        name = _clean_name(value)
        is_name = bool(name) and name in {conversation.ref.wire_name, _clean_name(conversation.name)}
        return is_name or is_with(conversation, value)

    def is_with(conversation: ReadableConversation, value: str) -> bool:
        name = fold(value.removeprefix("@"))
        return any(name in names for user_id, names in members.get(conversation.id, ()) if user_id != actor.user_id)

    return [
        each
        for each in readable
        if (not places or any(is_named(each, value) for value in places))
        and all(is_with(each, value) for value in people)
        and not any(is_named(each, value) for value in not_places)
        and not any(is_with(each, value) for value in not_people)
    ]


def _clean_name(name: str) -> str:
    return "-".join(fold(name.removeprefix("#")).split())


def _list_direct_members(
    session: Session, conversations: Sequence[ReadableConversation]
) -> dict[int, list[tuple[int, set[str]]]]:
    """Return the people of direct conversations, each with the names that they are found by."""
    ids = [each.id for each in conversations if each.kind == Direct.name]
    members: dict[int, list[tuple[int, set[str]]]] = {}
    rows = session.execute(
        select(Membership.conversation_id, User.id, User.username, User.name)
        .join(User, User.id == Membership.user_id)
        .where(Membership.conversation_id.in_(select(_CONVERSATION_IDS.c.id))),
        {"conversations": encode_rows((each,) for each in ids)},
    )
    for conversation_id, user_id, username, name in rows:
        members.setdefault(conversation_id, []).append((user_id, {fold(username), fold(name)}))
    return members


def _find_senders(session: Session, actor: Actor, names: Sequence[str]) -> list[str] | None:
    """Return the tokens of senders with these names; None if there are no names."""
    if not names:
        return None
    cleaned = [name.removeprefix("@") for name in names if "\0" not in name]
    tokens = [sender_name_token(name) for name in cleaned]
    folded = {fold(name) for name in cleaned}
    if "me" in folded:
        tokens.append(scope_token(Scope.SENDER, actor.user_id))
    # SQLite calls a function for each name: on a native thread.
    query = select(User.id).where(or_(User.username.in_(folded), equals_folded(User.name, folded)))
    found = read_natively(session, lambda reading: reading.scalars(query).all(), is_search=True)
    return [*tokens, *(scope_token(Scope.SENDER, user_id) for user_id in found)]


_CONTENT_TOKENS: Mapping[tuple[str, str], str] = {
    ("has", "link"): scope_token(Scope.CONTENT, Has.LINK),
    ("has", "code"): scope_token(Scope.CONTENT, Has.CODE),
    ("is", "thread"): scope_token(Scope.CONTENT, Has.THREAD),
}


def _select_saved(user_id: int) -> Select[int]:
    message, saved = aliased(Message), SavedMessage
    is_same = and_(saved.conversation_id == message.conversation_id, saved.seq == message.seq)
    return select(message.id).join(saved, is_same).where(saved.user_id == user_id)


def _select_unread(user_id: int) -> Select[int]:
    message, member = aliased(Message), Membership
    is_new = and_(member.conversation_id == message.conversation_id, message.seq > member.last_read_seq)
    is_of_others = or_(message.sender_id.is_(None), message.sender_id != user_id)
    return select(message.id).join(member, is_new).where(member.user_id == user_id, message.is_in_room, is_of_others)


def _select_roots(_user_id: int) -> Select[int]:
    message = aliased(Message)
    is_root = and_(Thread.conversation_id == message.conversation_id, Thread.root_seq == message.seq)
    return select(message.id).join(Thread, is_root).where(Thread.reply_count > 0)


_SELECTIONS: Mapping[tuple[str, str], Callable[[int], Select[int]]] = {
    ("has", "reaction"): lambda _user_id: select(Reaction.message_id),
    ("has", "pin"): lambda _user_id: select(Pin.message_id),
    ("has", "thread"): _select_roots,
    ("is", "saved"): _select_saved,
    ("is", "unread"): _select_unread,
    ("is", "mention"): lambda user_id: select(Mention.message_id).where(Mention.user_id == user_id),
}
"""The ids of messages that filters select, from their own tables."""
