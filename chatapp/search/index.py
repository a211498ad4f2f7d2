"""Writing the search index, in the transaction that changes the messages. No triggers.

On SQLite it is a full-text table without content, on PostgreSQL a table with the tokens of each message. Both have the
same tokens, computed here. Beside those of the text, each message has tokens of its conversation, its sender, its date
and of what it contains, so that a search for few of all messages reads only these.

The index is derived from the messages: copies of a database leave it out, and `rebuild` creates it. All messages from a
position on are indexed; the others are indexed in the background, the newest first.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import IntEnum
from functools import lru_cache
from typing import Any
from zlib import crc32

import orjson
from sqlalchemy import Connection, Row, text
from sqlalchemy.orm import Session

from chatapp.files.rows import find_file_names
from chatapp.models import Message
from chatapp.models.messages import RUNNING_STATES
from chatapp.search.tokens import TOKENIZER_VERSION, fold_word, pair_tokens, tokenize

TABLE = "message_search"
"""The table of the index. Names of all its tables begin with it."""

_REPLACE_SQLITE = "INSERT OR REPLACE INTO message_search (rowid, tokens) VALUES (?, ?)"

MERGE_SQLITE = "INSERT INTO message_search (message_search, rank) VALUES ('merge', ?)"

_REPLACE_POSTGRESQL = text(
    "INSERT INTO message_search (message_id, tokens) "
    "SELECT CAST(value->>0 AS bigint), CAST(value->>1 AS tsvector) FROM json_array_elements(CAST(:rows AS json)) "
    "ON CONFLICT (message_id) DO UPDATE SET tokens = excluded.tokens"
)

_BEGIN_FILLING = text(
    "UPDATE message_search_state SET tokenizer = :tokenizer, position = (SELECT coalesce(max(id) + 1, 0) FROM messages)"
)

_LAST_ID = 2**63 - 1

_LINK = re.compile(r"https?://\w", re.IGNORECASE)

_DIGIT_BASE = 0x4000
_FIRST_DAY = date(2000, 1, 1)
"""Earlier messages, which only imports bring, have the tokens of this day."""

CACHED_DAYS = 1_000

_FIRST_NAME = 2**32
"""Numbers of names are above the ids of users."""

_FIRST_SCOPE = "\U000f0000"

BARRIER = "\U00104fff"
"""Separates words that were not next to each other in the text."""


class Scope(IntEnum):
    """What a message can be found by besides its text: the first of the 16,384 characters that are its digits.

    No text has tokens of them. A number below 16,384 is one character, for which the indexes of prefixes have no entry.
    """

    CONVERSATION = 0xF0000
    SENDER = 0xF4000
    DAY = 0xF8000
    MONTH = 0xFC000
    YEAR = 0x100000
    CONTENT = 0x104000


class Has(IntEnum):
    """What a message contains, or what it is."""

    LINK = 1
    CODE = 2
    THREAD = 3
    FILE = 4


@dataclass(slots=True)
class TextTokens:
    """What the index has of a text and of names of files: tokens that are separated by spaces. Nothing changes it.

    They take a tenth of the memory of a list. It is not frozen, as it would take three times as long to create.
    """

    row: str
    pairs: str
    wholes: str
    contains: Sequence[Has]


def tokenize_text(content: str, file_names: Sequence[str] = ()) -> TextTokens:
    """Return what the index has of a text and of the names of a message's files, which are found as words.

    It takes milliseconds for a long one: do it before the transaction.
    """
    found = tokenize("\n".join((content, *file_names)))
    contains = []
    if file_names:
        contains.append(Has.FILE)
    if "://" in content and _LINK.search(content):
        contains.append(Has.LINK)
    if content.count("`") > 1:
        contains.append(Has.CODE)
    pairs = " ".join(pair_tokens(found.row))
    return TextTokens(" ".join(found.row), pairs, f" {BARRIER} ".join(found.wholes), contains)


@dataclass(slots=True)
class IndexedMessage:
    """The columns of a message that the index depends on. Nothing changes it.

    It is not frozen, as it would take three times as long to create.
    """

    id: int
    conversation_id: int
    sender_id: int | None
    created_at: datetime
    content: str
    sender_name: str | None = None
    """The name of the bot or the assistant that sent it."""
    is_reply: bool = False
    file_names: Sequence[str] = ()
    tokens: TextTokens | None = None
    """Those of the content and the names of files, if they were computed before."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to find."""
        return not self.content and not self.file_names

    def tokenize(self) -> TextTokens:
        """Return the tokens of the content and of the names of files."""
        return self.tokens or tokenize_text(self.content, self.file_names)


def scope_token(scope: Scope, number: int) -> str:
    """Return the token of something with a number, such as of the conversation with an id."""
    token = chr(scope + number % _DIGIT_BASE)
    while number := number // _DIGIT_BASE:
        token = chr(scope + number % _DIGIT_BASE) + token
    return token


def sender_name_token(name: str) -> str:
    """Return the token of messages of a bot or an assistant. Different names may have the same one."""
    return scope_token(Scope.SENDER, _FIRST_NAME + crc32(fold_word(name).encode()))


def day_token(day: date) -> str:
    """Return the token of messages of one day, in UTC."""
    return scope_token(Scope.DAY, (day - _FIRST_DAY).days)


def month_token(year: int, month: int) -> str:
    """Return the token of messages of one month, in UTC."""
    return scope_token(Scope.MONTH, (year - _FIRST_DAY.year) * 12 + month)


def year_token(year: int) -> str:
    """Return the token of messages of one year, in UTC."""
    return scope_token(Scope.YEAR, year - _FIRST_DAY.year)


def list_date_tokens(first: date, last: date) -> Sequence[str]:
    """Return tokens of which each message from one day to another has one, and later ones have none."""
    first, last = max(first, _FIRST_DAY), max(last, _FIRST_DAY)
    tokens: list[str] = []
    day = first
    while day <= last:
        next_year = date(day.year + 1, 1, 1)
        next_month = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        if day.day == 1 and day.month == 1 and next_year - timedelta(days=1) <= last:
            tokens.append(year_token(day.year))
            day = next_year
        elif day.day == 1 and next_month - timedelta(days=1) <= last:
            tokens.append(month_token(day.year, day.month))
            day = next_month
        else:
            tokens.append(day_token(day))
            day += timedelta(days=1)
    return tokens


def list_tokens(message: IndexedMessage) -> Sequence[str]:
    """Return all tokens of a message, in the order in which phrases are found."""
    return _join_tokens(message).split()


def _join_tokens(message: IndexedMessage) -> str:
    """Return all tokens of a message, separated by spaces: those of the text, of the scope, of pairs, whole words."""
    found = message.tokenize()
    scopes = [scope_token(Scope.CONVERSATION, message.conversation_id), *_date_tokens(message.created_at.date())]
    if message.sender_id is not None:
        scopes.append(scope_token(Scope.SENDER, message.sender_id))
    if message.sender_name:
        scopes.append(sender_name_token(message.sender_name))
    scopes += [scope_token(Scope.CONTENT, each) for each in found.contains]
    if message.is_reply:
        scopes.append(scope_token(Scope.CONTENT, Has.THREAD))
    return " ".join((found.row, *scopes, found.pairs, found.wholes))


@lru_cache(CACHED_DAYS)
def _date_tokens(day: date) -> Sequence[str]:
    """Return the tokens of messages of a day: most that are written are of the same one."""
    day = max(day, _FIRST_DAY)
    return day_token(day), month_token(day.year, day.month), year_token(day.year)


def format_vector(tokens: Sequence[str]) -> str:
    """Return tokens as a `tsvector` of PostgreSQL. They contain no quotes.

    Those of the text have their positions. The others, of private-use characters, are in no phrases.
    """
    return " ".join(
        f"'{token}'" if token >= _FIRST_SCOPE else f"'{token}':{position}" for position, token in enumerate(tokens, 1)
    )


def index_messages(connection: Connection, messages: Iterable[IndexedMessage]) -> None:
    """Store the current tokens of messages, in the order of their ids. Those with nothing to find are removed."""
    rows: list[tuple[int, str]] = []
    empty: list[int] = []
    is_sqlite = connection.dialect.name == "sqlite"
    for message in messages:
        if message.is_empty:
            empty.append(message.id)
        elif is_sqlite:
            rows.append((message.id, _join_tokens(message)))
        else:
            rows.append((message.id, format_vector(list_tokens(message))))
    remove_messages(connection, empty)
    if not rows:
        return
    if is_sqlite:
        connection.exec_driver_sql(_REPLACE_SQLITE, rows)
        connection.exec_driver_sql(MERGE_SQLITE, (count_merged_pages(len(rows)),))
    else:
        connection.execute(_REPLACE_POSTGRESQL, {"rows": orjson.dumps(rows).decode()})


def count_merged_pages(messages: int) -> int:
    """Return how many pages of the index of SQLite are merged with a write of some messages.

    Merging by FTS5 itself (`automerge`) is some hundred pages at once, which takes up to half a second for messages
    that are indexed again: decision 64, https://www.sqlite.org/fts5.html#the_merge_command.
    """
    return 8 + messages // 4


def index_rows(session: Session, messages: Iterable[Message]) -> None:
    """Store the current tokens of messages that are written to the database, in the order of their ids.

    A deleted message has none, nor has an answer that is still being written.
    """
    index_messages(session.connection(), make_indexed(session, list(messages)))


def make_indexed(session: Session, messages: Sequence[Message | Row[*tuple[Any, ...]]]) -> list[IndexedMessage]:
    """Return messages as they are indexed. One query reads the names of their files."""
    names = find_file_names(session, [message.id for message in messages])
    return [_make_indexed(message, names.get(message.id, ())) for message in messages]


def _make_indexed(message: Message | Row[*tuple[Any, ...]], file_names: Sequence[str]) -> IndexedMessage:
    """Return a message as it is indexed: empty if it is deleted, or an answer that is still being written."""
    is_found = message.deleted_at is None and message.state not in RUNNING_STATES
    return IndexedMessage(
        message.id,
        message.conversation_id,
        message.sender_id,
        message.created_at,
        message.content if is_found else "",
        message.sender_name,
        message.thread_root is not None,
        file_names if is_found else (),
    )


def remove_messages(connection: Connection, ids: Collection[int]) -> None:
    """Remove messages from the index."""
    if not ids:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("DELETE FROM message_search WHERE rowid = ?", [(each,) for each in ids])
    else:
        connection.execute(text("DELETE FROM message_search WHERE message_id = ANY(:ids)"), {"ids": list(ids)})


def remove_range(connection: Connection, conversation_id: int, last_seq: int | None = None) -> None:
    """Remove the messages of a conversation up to a `seq`, or all of them, before they are deleted.

    On PostgreSQL, deleting them does it.
    """
    if connection.dialect.name != "sqlite":
        return
    condition, parameters = "conversation_id = ?", [conversation_id]
    if last_seq is not None:
        condition, parameters = f"{condition} AND seq <= ?", [conversation_id, last_seq]
    connection.exec_driver_sql(
        f"DELETE FROM message_search WHERE rowid IN (SELECT id FROM messages WHERE {condition})",  # noqa: S608
        tuple(parameters),
    )


def reset(connection: Connection) -> None:
    """Empty the index. The server that is started with it indexes all messages: see `filling.adopt_tokenizer`."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("INSERT INTO message_search (message_search) VALUES ('delete-all')")
    else:
        # To delete ten million rows would take minutes, in which the transaction keeps all of them.
        connection.exec_driver_sql("TRUNCATE message_search")
    connection.execute(_BEGIN_FILLING, {"tokenizer": 0})


def restart_filling(connection: Connection) -> None:
    """Let all messages be indexed again, also those that are indexed."""
    # Events of other processes that are committed later are above the position, or found by `indexed_event`.
    if connection.dialect.name == "postgresql":
        # In the order in which the writers lock, so that they cannot deadlock.
        connection.execute(text("SELECT id FROM conversations ORDER BY id FOR NO KEY UPDATE"))
    connection.execute(
        text("UPDATE conversations SET indexed_event = last_event, indexed_tokenizer = :tokenizer"),
        {"tokenizer": TOKENIZER_VERSION},
    )
    connection.execute(_BEGIN_FILLING, {"tokenizer": TOKENIZER_VERSION})
    remove_surplus(connection, get_position(connection), _LAST_ID)


def get_tokenizer(connection: Connection) -> int:
    """Return the `TOKENIZER_VERSION` whose tokens the index has, or is being filled with; 0 before the first one."""
    return int(connection.exec_driver_sql("SELECT tokenizer FROM message_search_state").scalar_one())


def is_complete(connection: Connection) -> bool:
    """Return whether the index is complete with the tokens of this process, except for what others have just written.

    A former tokenizer had no tokens of pairs.
    """
    return get_tokenizer(connection) == TOKENIZER_VERSION and not get_position(connection)


def get_position(connection: Connection, *, for_update: bool = False) -> int:
    """Return the id from which on all messages are indexed; 0 if all are.

    With `for_update` it stays the same until the transaction ends: two processes may fill the index.
    """
    is_locked = for_update and connection.dialect.name == "postgresql"
    query = f"SELECT position FROM message_search_state{' FOR UPDATE' if is_locked else ''}"  # noqa: S608 - constants
    return int(connection.exec_driver_sql(query).scalar_one())


def set_position(connection: Connection, position: int) -> None:
    """Record that all messages from an id on are indexed."""
    connection.execute(text("UPDATE message_search_state SET position = :position"), {"position": position})


def remove_surplus(connection: Connection, first: int, end: int) -> None:
    """Remove the entries without a message of which the ids are in a range. On PostgreSQL there are none."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(
            "DELETE FROM message_search WHERE rowid IN (SELECT id FROM message_search_docsize "
            "WHERE id >= ? AND id < ? AND id NOT IN (SELECT id FROM messages WHERE id >= ? AND id < ?))",
            (first, end, first, end),
        )
