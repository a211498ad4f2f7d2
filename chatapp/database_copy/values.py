"""Values that are the same in SQLite and PostgreSQL, checks whether PostgreSQL can store them, and their checksums.

SQLite enforces neither types nor lengths, and stores booleans as integers and times as text.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    cast,
    type_coerce,
)
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine

Value = bool | int | str | bytes | datetime | None

Normalise = Callable[[Any], Value]
"""Returns the normalised value of what a driver returns. Raises `ValueError` if PostgreSQL cannot store it."""

MODULUS = 1 << 256

MAX_SHOWN_CHARS = 60


@dataclass(frozen=True, slots=True)
class Misfit:
    """A value that PostgreSQL cannot store."""

    table: str
    key: tuple[Any, ...]
    column: str
    reason: str

    def __str__(self) -> str:
        return f"{self.table} {', '.join(map(repr, self.key))}: {self.column} {self.reason}"


class DoesNotFit(Exception):
    """PostgreSQL cannot store a row."""

    def __init__(self, misfits: Sequence[Misfit]) -> None:
        super().__init__("; ".join(map(str, misfits)))
        self.misfits = misfits


class TableValues:
    """Selects and normalises the rows of one table."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._normalise = [_find_normaliser(column) for column in table.columns]
        self._key = [table.columns.values().index(column) for column in table.primary_key]

    def columns(self, dialect: str) -> list[ColumnElement[Any]]:
        """Return the columns of a query, whose values are as the driver returns them."""
        # SQLite: a cast would hide a value of another type. PostgreSQL: the driver would parse JSON.
        is_parsed = dialect != "sqlite"
        return [
            type_coerce(cast(column, Text) if is_parsed and _is_json(column) else column, NullType())
            for column in self.table.columns
        ]

    def key(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """Return the primary key of a row."""
        return tuple(row[index] for index in self._key)

    def normalise(self, row: Sequence[Any]) -> tuple[Value, ...]:
        """Return the normalised values of a row. Raises `DoesNotFit`."""
        try:
            return tuple([normalise(value) for normalise, value in zip(self._normalise, row, strict=True)])
        except ValueError:
            raise DoesNotFit(list(self._find_misfits(row))) from None

    def _find_misfits(self, row: Sequence[Any]) -> Iterator[Misfit]:
        for normalise, column, value in zip(self._normalise, self.table.columns, row, strict=True):
            try:
                normalise(value)
            except ValueError as error:
                yield Misfit(self.table.name, self.key(row), column.name, str(error))


class Checksum:
    """The number of rows, and the sum of their hashes.

    It does not depend on the order of the rows: databases sort text differently.
    """

    def __init__(self) -> None:
        self.count = 0
        self._sum = 0

    def add(self, rows: Iterable[tuple[Value, ...]]) -> None:
        """Add normalised rows."""
        for row in rows:
            self.count += 1
            self._sum += int.from_bytes(hashlib.sha256(repr(row).encode()).digest())

    def hexdigest(self) -> str:
        """Return the checksum as text."""
        return f"{self._sum % MODULUS:064x}"


def sqlite_value(value: Value) -> Any:
    """Return what SQLite's driver stores for a normalised value."""
    return value.replace(tzinfo=None).isoformat(" ", "microseconds") if isinstance(value, datetime) else value


def _find_normaliser(column: Column[Any]) -> Normalise:
    kind = _implementation(column.type)
    for types, find in _NORMALISERS:
        if isinstance(kind, types):
            return find(kind)
    raise NotImplementedError(f"{column} has the type {kind!r}: add it to _NORMALISERS")


def _implementation(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    return _implementation(kind.impl_instance) if isinstance(kind, TypeDecorator) else kind


def _is_json(column: Column[Any]) -> bool:
    return isinstance(_implementation(column.type), JSON)


def _integers(bits: int) -> Normalise:
    limit = 2 ** (bits - 1)

    def normalise(value: Any) -> Value:
        if value is None:
            return None
        if type(value) is not int:
            raise ValueError(f"is {type(value).__name__}, not an integer")
        if not -limit <= value < limit:
            raise ValueError(f"is {value}, too large for an integer of {bits} bits")
        return value

    return normalise


def _normalise_boolean(value: Any) -> Value:
    if value is None or isinstance(value, bool):
        return value
    if value in (0, 1):
        return bool(value)
    raise ValueError(f"is {_shorten(value)}, not a boolean")


def _normalise_time(value: Any) -> Value:
    if value is None:
        return None
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        # As chatapp reads it: times of SQLite are in UTC.
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"is {_shorten(value)}, not a time") from None


def _texts(max_chars: int | None) -> Normalise:
    def normalise(value: Any) -> Value:
        if value is None:
            return None
        if type(value) is not str:
            raise ValueError(f"is {type(value).__name__}, not text")
        if "\0" in value:
            raise ValueError("has a NUL character")
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise ValueError("is not valid UTF-8") from None
        if max_chars is not None and len(value) > max_chars:
            raise ValueError(f"has {len(value):,} characters, more than {max_chars:,}")
        return value

    return normalise


def _normalise_json(value: Any) -> Value:
    # The text as it is: parsing would change numbers.
    text = _texts(None)(value)
    try:
        if isinstance(text, str):
            json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise ValueError("is not valid JSON") from None
    return text


def _shorten(value: object) -> str:
    return repr(value)[:MAX_SHOWN_CHARS]


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")  # Python's module accepts NaN and Infinity.


def _normalise_bytes(value: Any) -> Value:
    if value is None:
        return None
    if not isinstance(value, bytes | bytearray | memoryview):
        raise ValueError(f"is {type(value).__name__}, not bytes")  # noqa: TRY004 - the value is wrong, not our call
    return bytes(value)


_NORMALISERS: Sequence[tuple[type[TypeEngine[Any]], Callable[[Any], Normalise]]] = (
    (Boolean, lambda _kind: _normalise_boolean),
    (BigInteger, lambda _kind: _integers(64)),
    (Integer, lambda _kind: _integers(32)),
    (DateTime, lambda _kind: _normalise_time),
    (JSON, lambda _kind: _normalise_json),
    (LargeBinary, lambda _kind: _normalise_bytes),
    (String, lambda kind: _texts(kind.length)),
)
"""The normalisers by type of the column. `Text` is a `String` without a length, `BigInteger` an `Integer`."""
