"""Reading what the search index finds, as `chatapp.timeline.search_plan` has planned it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from sqlalchemy import BigInteger, ColumnElement, Select, Table, column, func, or_, select, table, text
from sqlalchemy.orm import Session

from chatapp.concurrency.cooperation import checkpoint
from chatapp.conversations.queries import ReadableConversation
from chatapp.models import Attachment, Message
from chatapp.models.messages import RUNNING_STATES
from chatapp.search.expressions import Expression
from chatapp.search.ranking import MAX_RANKED_CHARS, order_best
from chatapp.storage import INTEGER, encode_rows, parameter_rows

MAX_RANKED = 10_000
"""Number of the newest matches that are ranked to find the best ones."""

MAX_COUNT = 1_000
"""Up to this number, hits are counted exactly."""

WINDOWS = (2_000, 20_000, 200_000)
"""On PostgreSQL, numbers of ids that are scanned before the index is used: what is common is found there."""

MAX_WINDOW_SHARE = 2_000
"""Windows of more ids than this, for each message that is wanted, are left out."""

ROWS_AT_ONCE = 500
"""Rows of PostgreSQL that the driver converts before others get their turn."""

_MESSAGES = cast(Table, Message.__table__)
_ID = _MESSAGES.c.id
_SQLITE = table("message_search", column("rowid", BigInteger))
_POSTGRESQL = table("message_search", column("message_id", BigInteger), column("tokens"))
_HAS_ENDED = or_(_MESSAGES.c.state.is_(None), _MESSAGES.c.state.not_in(RUNNING_STATES))
_IS_NOT_EMPTY = or_(
    _MESSAGES.c.content != "",
    select(Attachment.message_id).where(Attachment.message_id == _ID).correlate(_MESSAGES).exists(),
)
_CONVERSATION_IDS = parameter_rows("conversations", id=INTEGER)
_SELECTED_IDS = parameter_rows("selected", id=INTEGER)

_FTS5_MATCHES = text("message_search MATCH :match")
_TSQUERY_MATCHES = text("tokens @@ CAST(:match AS tsquery)")
_EXPLAIN_MATCHES = text("EXPLAIN (FORMAT JSON) SELECT FROM message_search WHERE tokens @@ CAST(:match AS tsquery)")


def _is_found(*, is_sqlite: bool) -> ColumnElement[bool]:
    """Return the condition that the index finds a message. Each message is looked up in it."""
    if is_sqlite:
        entry = select(_SQLITE.c.rowid).where(_FTS5_MATCHES, _SQLITE.c.rowid == _ID)
    else:
        entry = select(_POSTGRESQL.c.message_id).where(_TSQUERY_MATCHES, _POSTGRESQL.c.message_id == _ID)
    return entry.correlate(_MESSAGES).exists()


def _is_sqlite(session: Session) -> bool:
    return session.connection().dialect.name == "sqlite"


class FoundKey(NamedTuple):
    """The ids of a message that was found and of its conversation."""

    id: int
    conversation_id: int


@dataclass(frozen=True, slots=True)
class IndexSearch:
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

    def find(self, session: Session, before: int | None, limit: int) -> Sequence[FoundKey]:
        """Return the keys of the newest messages that are found, below the id `before`."""
        return [FoundKey(*row) for row in self._read(session, before, limit)]

    def read_candidates(self, session: Session) -> Sequence[Sequence[Any]]:
        """Return id, conversation id and beginning of the newest messages that are found, to choose the best ones."""
        return self._read(session, None, MAX_RANKED, func.substr(_MESSAGES.c.content, 1, MAX_RANKED_CHARS))

    def choose_best(self, candidates: Sequence[Sequence[Any]], offset: int, limit: int) -> Sequence[FoundKey]:
        """Return the keys of the best of the candidates, in their order."""
        order = order_best([content for _, _, content in candidates], self.expression.terms)
        return [FoundKey(*candidates[index][:2]) for index in order[offset : offset + limit]]

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
            conditions += [_IS_NOT_EMPTY, _HAS_ENDED]
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
