"""Comparing the search index with the messages."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from chatapp.models.messages import RUNNING_STATES
from chatapp.search.filling import read_indexed
from chatapp.search.index import format_vector, get_position, list_tokens, remove_messages, restart_filling

MAX_LISTED = 1_000
"""Maximum number of messages of one kind of difference that are listed."""

_IS_INDEXED = f"m.deleted_at IS NULL AND m.content <> '' AND (m.state IS NULL OR m.state NOT IN {RUNNING_STATES})"

_ROWS = {
    "sqlite": "(SELECT id FROM message_search_docsize)",
    "postgresql": "(SELECT message_id AS id FROM message_search)",
}

_DIFFERENT = text(
    "SELECT message_id FROM message_search JOIN json_array_elements(CAST(:rows AS json)) ON "
    "message_id = CAST(value->>0 AS bigint) WHERE tokens <> CAST(value->>1 AS tsvector) ORDER BY message_id"
)

BATCH_MESSAGES = 2_000


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
            f"WHERE s.id IS NULL AND m.id >= :position AND {_IS_INDEXED} ORDER BY m.id LIMIT {MAX_LISTED}"
        ),
        {"position": get_position(connection)},
    )
    surplus = connection.execute(
        text(
            f"SELECT s.id FROM {rows} AS s LEFT JOIN messages AS m ON m.id = s.id AND {_IS_INDEXED} "  # noqa: S608
            f"WHERE m.id IS NULL ORDER BY s.id LIMIT {MAX_LISTED}"
        )
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

    On SQLite it reads the whole index once, and keeps eight bytes for each message.
    """
    connection = session.connection()
    found = find_differences(connection)
    known = {*found.missing, *found.surplus}
    is_sqlite = connection.dialect.name == "sqlite"
    sums = _sum_index(connection) if is_sqlite else array("Q")
    different: list[int] = []
    for messages in read_indexed(session, get_position(connection), BATCH_MESSAGES):
        if is_sqlite:
            different += [
                each.id for each in messages if each.id not in known and sums[each.id] != _sum_tokens(list_tokens(each))
            ]
        else:
            rows = [(each.id, format_vector(list_tokens(each))) for each in messages]
            different += connection.execute(_DIFFERENT, {"rows": orjson.dumps(rows).decode()}).scalars()
        advance(len(messages))
        if len(different) >= MAX_LISTED:
            break
    return Differences(found.missing, found.surplus, different[:MAX_LISTED])


def _sum_index(connection: Connection) -> "array[int]":
    """Return for each message of the index a sum over its tokens and their positions."""
    last = connection.exec_driver_sql("SELECT coalesce(max(id), 0) FROM message_search_docsize").scalar_one()
    sums = array("Q", bytes(8 * (last + 1)))
    for token, message_id, position in _read_terms(connection):
        sums[message_id] = (sums[message_id] + hash((token, position))) & 0xFFFF_FFFF_FFFF_FFFF
    return sums


def _read_terms(connection: Connection) -> Iterator[tuple[str, int, int]]:
    cursor = connection.connection.cursor()
    try:
        # As rows of the driver: there are some ten for each message.
        yield from cursor.execute("SELECT term, doc, offset FROM message_search_terms")
    finally:
        cursor.close()


def _sum_tokens(tokens: Sequence[str]) -> int:
    total = sum(hash((token, position)) for position, token in enumerate(tokens))
    return total & 0xFFFF_FFFF_FFFF_FFFF
