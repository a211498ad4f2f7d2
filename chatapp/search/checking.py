"""Comparing the search index with the messages."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from chatapp.models.messages import RUNNING_STATES
from chatapp.search.filling import read_indexed
from chatapp.search.index import (
    IndexedMessage,
    format_vector,
    get_position,
    list_tokens,
    remove_messages,
    restart_filling,
)

MAX_LISTED = 1_000
"""Maximum number of messages of one kind of difference that are listed."""

_IS_INDEXED = (
    "m.deleted_at IS NULL "  # noqa: S608 - constants
    "AND (m.content <> '' OR EXISTS (SELECT 1 FROM attachments AS a WHERE a.message_id = m.id)) "
    f"AND (m.state IS NULL OR m.state NOT IN {RUNNING_STATES})"
)

_ROWS = {
    "sqlite": "(SELECT id FROM message_search_docsize)",
    "postgresql": "(SELECT message_id AS id FROM message_search)",
}

_DIFFERENT = text(
    "SELECT message_id FROM message_search JOIN json_array_elements(CAST(:rows AS json)) ON "
    "message_id = CAST(value->>0 AS bigint) WHERE tokens <> CAST(value->>1 AS tsvector) ORDER BY message_id"
)

BATCH_MESSAGES = 500

IDS_AT_ONCE = 2_000_000
"""Ids of messages that are compared at a time on SQLite, with eight bytes for each."""


@dataclass(frozen=True, slots=True)
class Differences:
    """The ids of messages that the index lacks, or has though it must not, or has with other tokens."""

    missing: Sequence[int]
    surplus: Sequence[int]
    different: Sequence[int] = ()

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return bool(self.missing or self.surplus or self.different)


def find_differences(connection: Connection) -> Differences:
    """Return which messages the index lacks, and which it should not have. Their tokens are not compared."""
    rows = _ROWS[connection.dialect.name]
    missing = connection.execute(
        text(
            f"SELECT m.id FROM messages AS m LEFT JOIN {rows} AS s ON s.id = m.id "  # noqa: S608 - constants
            f"WHERE s.id IS NULL AND m.id >= :position AND {_IS_INDEXED} ORDER BY m.id LIMIT :limit"
        ),
        {"position": get_position(connection), "limit": MAX_LISTED},
    )
    surplus = connection.execute(
        text(
            f"SELECT s.id FROM {rows} AS s LEFT JOIN messages AS m ON m.id = s.id AND {_IS_INDEXED} "  # noqa: S608
            f"WHERE m.id IS NULL ORDER BY s.id LIMIT :limit"
        ),
        {"limit": MAX_LISTED},
    )
    return Differences(missing.scalars().all(), surplus.scalars().all())


def repair_index(connection: Connection, differences: Differences) -> None:
    """Remove what the index should not have. What it lacks is indexed in the background: see `filling`."""
    if differences.surplus:
        remove_messages(connection, differences.surplus)
    if differences.missing:
        restart_filling(connection)


def compare_tokens(session: Session, advance: Callable[[int], object]) -> Differences:
    """Return all differences, also those of the tokens. `advance` receives the numbers of messages compared.

    On SQLite it reads the whole index once for each `IDS_AT_ONCE`: the index is in the order of the tokens.
    """
    connection = session.connection()
    found = find_differences(connection)
    is_sqlite = connection.dialect.name == "sqlite"
    different: list[int] = []
    last = connection.exec_driver_sql("SELECT coalesce(max(id), 0) FROM messages").scalar_one()
    for first in range(get_position(connection), last + 1, IDS_AT_ONCE):
        sums = _sum_index(connection, first) if is_sqlite else None
        for messages in read_indexed(session, first, first + IDS_AT_ONCE, BATCH_MESSAGES):
            different += _find_different(connection, messages, first, sums)
            advance(len(messages))
            if len(different) >= MAX_LISTED:
                return Differences(found.missing, found.surplus, different[:MAX_LISTED])
    return Differences(found.missing, found.surplus, different)


def _find_different(
    connection: Connection, messages: Sequence[IndexedMessage], first: int, sums: "array[int] | None"
) -> Iterable[int]:
    """Return the ids of the messages that are indexed with other tokens. Missing ones are not among them."""
    if sums is not None:
        return [
            each.id
            for each in messages
            if (stored := sums[each.id - first]) and stored != _sum_tokens(list_tokens(each))
        ]
    rows = [(each.id, format_vector(list_tokens(each))) for each in messages]
    return connection.execute(_DIFFERENT, {"rows": orjson.dumps(rows).decode()}).scalars()


def _sum_index(connection: Connection, first: int) -> "array[int]":
    """Return for each of the next messages a sum over its tokens and their positions; 0 if it is not indexed."""
    sums = array("Q", bytes(8 * IDS_AT_ONCE))
    for token, message_id, position in _read_terms(connection, first):
        index = message_id - first
        sums[index] = (sums[index] + hash((token, position))) & 0xFFFF_FFFF_FFFF_FFFF
    return sums


def _read_terms(connection: Connection, first: int) -> Iterator[tuple[str, int, int]]:
    cursor = connection.connection.cursor()
    try:
        # As rows of the driver: there are some ten for each message.
        yield from cursor.execute(
            "SELECT term, doc, offset FROM message_search_terms WHERE doc >= ? AND doc < ?",
            (first, first + IDS_AT_ONCE),
        )
    finally:
        cursor.close()


def _sum_tokens(tokens: Sequence[str]) -> int:
    total = sum(hash((token, position)) for position, token in enumerate(tokens))
    return total & 0xFFFF_FFFF_FFFF_FFFF
