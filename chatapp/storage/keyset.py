"""Keyset pagination: the parts of a list in the order of some columns, before or after an item."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Row, Select, SQLColumnExpression, and_, literal, not_, or_
from sqlalchemy.orm import Session

from chatapp.errors import Invalid

MAX_CURSOR_CHARS = 100

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MAX_MICROSECONDS = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class ListPage(Generic[T]):
    """Consecutive items of a list."""

    items: Sequence[T]
    previous: str | None = None
    """The cursor `before` of the part that precedes them; None if there is none."""
    next: str | None = None
    """The cursor `after` of the part that follows them; None if there is none."""

    def map(self, convert: Callable[[Sequence[T]], Sequence[U]]) -> "ListPage[U]":
        """Return the page with its items converted, all at once."""
        return ListPage(convert(self.items), self.previous, self.next)


@dataclass(frozen=True, slots=True)
class Key:
    """A column, or an expression without NULL, by which a list is ordered."""

    column: SQLColumnExpression[Any]
    is_descending: bool = False
    is_time: bool = False
    maximum: int = 2**63 - 1
    """The highest number that the column can be compared with."""

    def follows(self, value: object) -> ColumnElement[bool]:
        """Return the condition that an item comes later in the list than the value."""
        return self.column < value if self.is_descending else self.column > value

    def precedes(self, value: object) -> ColumnElement[bool]:
        """Return the condition that an item comes earlier in the list than the value."""
        return self.column > value if self.is_descending else self.column < value

    def order(self, *, is_reversed: bool) -> ColumnElement[Any]:
        """Return what to order by."""
        return self.column.asc() if self.is_descending is is_reversed else self.column.desc()

    def format(self, value: Any) -> str:
        """Return a value as part of a cursor."""
        return str((value - _EPOCH) // _MICROSECOND if self.is_time else int(value))

    def parse(self, text: str) -> object:
        """Return a value that was formatted. Raises `ValueError`."""
        limit = _MAX_MICROSECONDS if self.is_time else self.maximum
        if not (text.isascii() and text.isdecimal() and len(text) <= len(str(limit)) and int(text) <= limit):
            raise ValueError(text)
        return _EPOCH + int(text) * _MICROSECOND if self.is_time else int(text)


class Keyset:
    """The order of a list. The keys are unique together, and the last one is a number."""

    def __init__(self, *keys: Key) -> None:
        self._keys = keys

    def read(
        self,
        session: Session,
        query: Select[*tuple[Any, ...]],
        *,
        before: str | None = None,
        after: str | None = None,
        limit: int,
        is_from_end: bool = False,
    ) -> ListPage[Row[Any]]:
        """Return the first `limit` items of a query, or those beside a cursor.

        With `after`, return the first ones that follow it; with `before` alone, the last ones that precede it. Without
        both `is_from_end` returns the last ones. Raises `Invalid` for a text that is no cursor.
        """
        lower, upper = self._parse("after", after), self._parse("before", before)
        is_backwards = lower is None and (is_from_end or upper is not None)
        labelled = query.add_columns(*(key.column.label(_label(index)) for index, key in enumerate(self._keys)))
        part = labelled.order_by(None).order_by(*(key.order(is_reversed=is_backwards) for key in self._keys))
        if lower is not None:
            part = part.where(self._follows(lower))
        if upper is not None:
            part = part.where(self._precedes(upper))
        rows = session.execute(part.limit(limit + 1)).all()
        has_more, rows = len(rows) > limit, rows[:limit]
        has_previous = lower is not None and _has_any(session, query.where(self._does_not_follow(lower)))
        has_next = upper is not None and _has_any(session, query.where(self._does_not_precede(upper)))
        if is_backwards:
            rows, has_previous = rows[::-1], has_more
        else:
            has_next = has_next or has_more
        first, last = (self._values(rows[0]), self._values(rows[-1])) if rows else self._beside(lower, upper)
        return ListPage(rows, self._format(first) if has_previous else None, self._format(last) if has_next else None)

    # The condition of the first key follows from the other one. It is the range of an index that databases scan.

    def _follows(self, values: Sequence[object]) -> ColumnElement[bool]:
        return and_(not_(self._keys[0].precedes(values[0])), self._compare(values, Key.follows))

    def _precedes(self, values: Sequence[object]) -> ColumnElement[bool]:
        return and_(not_(self._keys[0].follows(values[0])), self._compare(values, Key.precedes))

    def _does_not_follow(self, values: Sequence[object]) -> ColumnElement[bool]:
        return and_(not_(self._keys[0].follows(values[0])), not_(self._compare(values, Key.follows)))

    def _does_not_precede(self, values: Sequence[object]) -> ColumnElement[bool]:
        return and_(not_(self._keys[0].precedes(values[0])), not_(self._compare(values, Key.precedes)))

    def _compare(
        self, values: Sequence[object], is_beyond: Callable[[Key, object], ColumnElement[bool]]
    ) -> ColumnElement[bool]:
        """Return the condition that the first key which differs is beyond its value."""
        pairs = list(zip(self._keys, values, strict=True))
        return or_(
            *(
                and_(*(before.column == equal for before, equal in pairs[:index]), is_beyond(key, value))
                for index, (key, value) in enumerate(pairs)
            )
        )

    def _beside(
        self, lower: Sequence[object] | None, upper: Sequence[object] | None
    ) -> tuple[Sequence[object], Sequence[object]]:
        """Return the bounds of a part without items, so that what lies at its cursor is in the part beside it.

        If nothing follows the id 7, its `previous` is `before=8`: the part that ends with 7, not with what precedes it.
        """
        if lower is not None:
            return self._step(lower, 1), lower
        return upper or (), self._step(upper or (), -1)

    def _step(self, values: Sequence[Any], step: int) -> Sequence[object]:
        """Return the next or the previous place in the list: after (2, 7) comes (2, 8), or (2, 6) if it descends."""
        if not values:
            return values
        *others, last = values
        key = self._keys[-1]
        return [*others, min(max(last + (-step if key.is_descending else step), 0), key.maximum)]

    @staticmethod
    def _values(row: Row[Any]) -> Sequence[object]:
        return [value for name, value in row._mapping.items() if name.startswith(_PREFIX)]  # noqa: SLF001

    def _format(self, values: Sequence[object]) -> str:
        return "-".join(key.format(value) for key, value in zip(self._keys, values, strict=True))

    def _parse(self, name: str, cursor: str | None) -> Sequence[object] | None:
        if cursor is None:
            return None
        try:
            return [key.parse(part) for key, part in zip(self._keys, cursor.split("-"), strict=True)]
        except ValueError:
            raise Invalid(f"{name} must be a cursor from an earlier response.") from None


_PREFIX = "key_of_list_"


def _label(index: int) -> str:
    return f"{_PREFIX}{index}"


def _has_any(session: Session, query: Select[*tuple[Any, ...]]) -> bool:
    only = query.order_by(None).with_only_columns(literal(1), maintain_column_froms=True)
    return session.execute(only.limit(1)).first() is not None
