"""Queries that scheduled messages and reminders share: rows of one person, each with the time at which it is due."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar, cast

from sqlalchemy import ColumnElement, Row, Select, Table, and_, func, select
from sqlalchemy.orm import Session

from chatapp.actors import Actor, require_active_login
from chatapp.conversations.refs import ConversationRef, make_ref
from chatapp.errors import NotFound
from chatapp.models import Conversation, Reminder, ScheduledMessage
from chatapp.storage import Key, Keyset, ListPage, Transaction, write


class Entry(Protocol):
    """A row as a value."""

    @property
    def id(self) -> int:
        """The id of the row."""

    @property
    def due_at(self) -> datetime:
        """When it is due."""


E = TypeVar("E", bound=Entry)
T = TypeVar("T")


class Entries(Generic[E]):
    """The rows of one table. Nobody but the person of an entry can see it.

    `load(session, rows)` returns the values of rows, `waits` is the condition that an entry is still to be done, and
    `missing` is the error text for an entry that does not exist.
    """

    def __init__(
        self,
        model: type[ScheduledMessage | Reminder],
        load: Callable[[Session, Sequence[Row[Any]]], list[E]],
        waits: ColumnElement[bool],
        missing: str,
    ) -> None:
        self.table = cast(Table, model.__table__)
        self.select: Select[Any] = select(*self.table.c, Conversation.kind).outerjoin_from(
            self.table, Conversation, Conversation.id == self.table.c.conversation_id
        )
        """The columns that `load` needs."""
        self.waits = waits
        self.order = (self.table.c.due_at, self.table.c.id)
        self._soonest_first = Keyset(Key(self.table.c.due_at, is_time=True), Key(self.table.c.id))
        self.load = load
        self._missing = missing

    def not_found(self) -> NotFound:
        """Return the error for an entry that does not exist, or that is somebody else's."""
        return NotFound(self._missing)

    def find(self, session: Session, user_id: int, entry_id: int) -> E:
        """Find an entry of a person. Raises `NotFound`."""
        entry = self._find(session, user_id, self.table.c.id == entry_id)
        if entry is None:
            raise self.not_found()
        return entry

    def find_by_client_id(self, session: Session, user_id: int, client_id: str) -> E | None:
        """Find the entry that is stored under a client id."""
        return self._find(session, user_id, self.table.c.client_id == client_id)

    def lock_by_client_id(self, session: Session, user_id: int, client_id: str) -> E | None:
        """Lock the entry that is stored under a client id, and return it. It may be removed at the same time."""
        is_wanted = (self.table.c.user_id == user_id) & (self.table.c.client_id == client_id)
        session.execute(select(self.table.c.id).where(is_wanted).with_for_update())
        return self.find_by_client_id(session, user_id, client_id)

    def read_page(
        self, session: Session, user_id: int, *, before: str | None = None, after: str | None = None, limit: int
    ) -> ListPage[E]:
        """Return a page of the entries of a person, soonest first."""
        page = self._soonest_first.read(session, self._select_of(user_id), before=before, after=after, limit=limit)
        return page.map(lambda rows: self.load(session, rows))

    def count(self, session: Session, user_id: int) -> int:
        """Count the entries of a person."""
        return session.execute(select(func.count()).where(self.table.c.user_id == user_id)).scalar_one()

    def find_next_due_at(self, session: Session) -> datetime | None:
        """Return the time at which the next entry is due."""
        query = select(self.table.c.due_at).where(self.waits).order_by(*self.order).limit(1)
        return session.execute(query).scalar_one_or_none()

    def is_due(self, moment: datetime) -> ColumnElement[bool]:
        """Return the condition that an entry is to be done at a moment."""
        return and_(self.waits, self.table.c.due_at <= moment)

    def change(self, actor: Actor, entry_id: int, change: Callable[[Transaction, E], T]) -> T:
        """Write a change of a locked entry of the actor. Raises `SignedOut`, `NotFound` and what `change` raises."""

        def apply(transaction: Transaction) -> T:
            session = transaction.session
            require_active_login(session, actor)
            session.execute(select(self.table.c.id).where(self.table.c.id == entry_id).with_for_update())
            return change(transaction, self.find(session, actor.user_id, entry_id))

        return write(apply)

    def _find(self, session: Session, user_id: int, is_wanted: ColumnElement[bool]) -> E | None:
        entries = self.load(session, session.execute(self._select_of(user_id).where(is_wanted)).all())
        return entries[0] if entries else None

    def _select_of(self, user_id: int) -> Select[Any]:
        return self.select.where(self.table.c.user_id == user_id)


def ref_of(row: Row[Any]) -> ConversationRef | None:
    """Return the conversation of a row; None if there is none, or if it was deleted."""
    return None if row.kind is None else make_ref(row.kind, row.conversation_id)
