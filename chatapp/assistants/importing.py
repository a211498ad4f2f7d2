"""Taking in what was said elsewhere: a chat that was kept in memory, or in a SQLite file of another program.

An import asks no assistant anything, and a second one of the same file adds nothing: each row's key is made of what it
says and where it stood.
"""

import json
import math
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatapp.assistants.queries import find_shared
from chatapp.assistants.titles import make_title
from chatapp.conversations.kinds import AssistantSession, SharedAssistant
from chatapp.conversations.names import assistant_name
from chatapp.conversations.queries import find_conversation
from chatapp.errors import ChatError, Invalid, NotFound
from chatapp.models import Conversation, Membership, Message
from chatapp.models.accounts import USERNAME_PATTERN
from chatapp.timeline import Transaction, write
from chatapp.timeline.content import check_content
from chatapp.timeline.messages import next_seq

BATCH = 500
"""Rows that one transaction takes in: some milliseconds in which others wait."""

PAUSE = 0.01
"""Seconds between two of them, so that another process that wants to write gets its turn."""

NAMESPACE = uuid.UUID("5c1f6f0e-6d0b-4c39-9c0e-0a6d8b0a7b51")
"""What the keys of imported rows are made in."""

ROLES = {
    "user": "user",
    "human": "user",
    "person": "user",
    "me": "user",
    "assistant": "assistant",
    "bot": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "system": "system",
}
"""What others call those who speak."""

SENDER_LENGTH = 64

MILLISECONDS = 100_000_000_000
"""Numbers from here on are no seconds: they would lie in the year 5138."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a source says, unchecked: whose conversation it belongs to, and where it stands."""

    number: int
    place: str
    sender: object
    content: object
    timestamp: object

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from all other rows of its source."""
        return (self.place, self.number, self.sender, self.content, self.timestamp)


@dataclass(frozen=True, slots=True)
class Source:
    """A file that can be taken in: how many rows it has, and its rows, those of a conversation one after the other."""

    count: int
    has_sessions: bool
    """Whether its rows belong to somebody's sessions, and not to what all share."""
    rows: Iterable[Row]


@dataclass(frozen=True, slots=True)
class Target:
    """Where rows go: how assistants are called, and whose sessions are made."""

    titles: Mapping[str, str]
    owner_id: int | None = None
    assistant: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of some rows."""

    imported: int = 0
    known: int = 0
    problems: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """How many rows it tells of."""
        return self.imported + self.known + len(self.problems)


@dataclass(frozen=True, slots=True)
class _Entry:
    client_id: str
    role: str
    sender_name: str | None
    content: str
    created_at: datetime


def open_source(path: Path) -> Source:
    """Find out what a file is. Raises `Invalid` where it is no JSON dump and no SQLite file with such a table.

    A JSON file is read whole, a SQLite file row by row.
    """
    with path.open("rb") as file:
        is_sqlite = file.read(16) == b"SQLite format 3\0"
    return _open_sqlite(path) if is_sqlite else _open_json(path)


def import_rows(source: Source, target: Target) -> Iterator[Outcome]:
    """Take the source's rows in, batch by batch, and yield what became of each batch."""
    for place, rows in groupby(source.rows, key=lambda row: row.place):
        conversation_id: int | None = None
        problem = None if source.has_sessions else _check_bot(place)
        while batch := list(islice(rows, BATCH)):
            entries: list[_Entry] = []
            problems: list[str] = []
            for row in batch:
                try:
                    if problem:
                        raise Invalid(problem)
                    entries.append(_check(row, source, target))
                except ChatError as error:
                    problems.append(f"row {row.number} of {place}: {error.message}")
            imported = 0
            if entries:
                conversation_id, imported = write(_store(source, target, place, entries, conversation_id))
                time.sleep(PAUSE)
            yield Outcome(imported, len(entries) - imported, tuple(problems))


def parse_moment(value: object) -> datetime:
    """Read a moment: ISO 8601 (UTC where it names no zone), or seconds or milliseconds since 1970. Raises `Invalid`."""
    try:
        if isinstance(value, str) and not _is_number(value):
            moment = datetime.fromisoformat(value.strip())
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            seconds = float(value)
            return datetime.fromtimestamp(seconds / 1000 if abs(seconds) >= MILLISECONDS else seconds, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise Invalid("The timestamp is neither ISO 8601 nor seconds or milliseconds since 1970.")


def _is_number(value: str) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False


def _check_bot(name: str) -> str | None:
    return None if USERNAME_PATTERN.fullmatch(name) else "The bot_id cannot be an assistant's name."


def _check(row: Row, source: Source, target: Target) -> _Entry:
    if not isinstance(row.sender, str) or not row.sender.strip():
        raise Invalid("It does not say who speaks.")
    sender = row.sender.strip()
    role = ROLES.get(sender.lower())
    if role is None and not source.has_sessions:
        raise Invalid(f"The role is none of {', '.join(sorted(set(ROLES.values())))}.")
    if not sender.isprintable():
        raise Invalid("The sender's name cannot be shown.")
    assistant = target.assistant if source.has_sessions else row.place
    if role == "assistant":
        name: str | None = target.titles.get(assistant, assistant)
    else:
        name = None if role else sender[:SENDER_LENGTH]
    owner = target.owner_id if source.has_sessions else None
    return _Entry(
        client_id=str(uuid.uuid5(NAMESPACE, json.dumps([owner, *row.key], default=repr))),
        role=role or "user",
        sender_name=name,
        content=check_content(row.content),
        created_at=parse_moment(row.timestamp),
    )


def _store(
    source: Source, target: Target, place: str, entries: list[_Entry], conversation_id: int | None
) -> Callable[[Transaction], tuple[int, int]]:
    def store(transaction: Transaction) -> tuple[int, int]:
        session = transaction.session
        known = {
            row.client_id: row.conversation_id
            for row in session.execute(
                select(Message.client_id, Message.conversation_id).where(
                    Message.client_id.in_([entry.client_id for entry in entries]), Message.sender_id.is_(None)
                )
            )
        }
        here = conversation_id if conversation_id is not None else next(iter(known.values()), None)
        if source.has_sessions:
            conversation = _find_session(session, here) or _begin_session(session, target, entries)
        else:
            conversation = _find_shared(session, place)
        session.refresh(conversation, with_for_update=True)
        fresh = {entry.client_id: entry for entry in entries if entry.client_id not in known}
        for entry in fresh.values():
            number = next_seq(conversation)
            session.add(
                Message(
                    conversation_id=conversation.id,
                    seq=number,
                    version=number,
                    sender_type=entry.role,
                    sender_name=entry.sender_name,
                    content=entry.content,
                    client_id=entry.client_id,
                    state="complete" if entry.role == "assistant" else None,
                    created_at=entry.created_at,
                )
            )
        conversation.message_count += len(fresh)
        session.flush()
        return conversation.id, len(fresh)

    return store


def _find_session(session: Session, conversation_id: int | None) -> Conversation | None:
    if conversation_id is None:
        return None
    found = find_conversation(session, assistant_name(conversation_id))
    if found is None:
        raise NotFound("The session was deleted meanwhile.")
    return found


def _begin_session(session: Session, target: Target, entries: list[_Entry]) -> Conversation:
    first = next((entry for entry in entries if entry.role == "user"), entries[0])
    conversation = AssistantSession.new(
        name=make_title(first.content),
        assistant=target.assistant,
        creator_id=target.owner_id,
        created_at=min(entry.created_at for entry in entries),
    )
    session.add(conversation)
    session.flush()
    session.add(Membership(conversation_id=conversation.id, user_id=target.owner_id, role="manager"))
    return conversation


def _find_shared(session: Session, name: str) -> Conversation:
    conversation = find_shared(session, name)
    if conversation is None:
        conversation = SharedAssistant.new(assistant=name)
        session.add(conversation)
        session.flush()
    return conversation


def _open_json(path: Path) -> Source:
    try:
        dump: Any = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise Invalid("The file is neither a SQLite file nor JSON.") from None
    if not isinstance(dump, dict) or not all(isinstance(rows, list) for rows in dump.values()):
        raise Invalid('The JSON is not of the form {"bot_id": [{"role": …, "content": …, "timestamp": …}]}.')
    rows = (
        Row(number, bot, *(row.get(key) if isinstance(row, dict) else None for key in ("role", "content", "timestamp")))
        for bot, listed in dump.items()
        for number, row in enumerate(listed, 1)
    )
    return Source(sum(map(len, dump.values())), has_sessions=False, rows=rows)


def _open_sqlite(path: Path) -> Source:
    address = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as connection:
            columns = {row[1] for row in connection.execute("PRAGMA table_info(messages)")}
            has_sessions = {"session_id", "sender", "content", "timestamp"} <= columns
            if not has_sessions and not {"bot_id", "role", "content", "timestamp"} <= columns:
                raise Invalid("The SQLite file has no table of messages with columns that can be taken in.")
            ((count,),) = connection.execute("SELECT count(*) FROM messages")
    except sqlite3.Error as error:
        raise Invalid(f"The SQLite file cannot be read: {error}.") from None
    names = ("session_id", "sender") if has_sessions else ("bot_id", "role")
    return Source(count, has_sessions, _read_sqlite(address, *names))


def _read_sqlite(address: str, place: str, sender: str) -> Iterator[Row]:
    query = f"SELECT rowid, {place}, {sender}, content, timestamp FROM messages ORDER BY CAST({place} AS TEXT), rowid"  # noqa: S608 - names of ours
    with closing(sqlite3.connect(address, uri=True)) as connection:
        # What is no text that can be read becomes a bad row, not the end.
        connection.text_factory = lambda raw: raw.decode(errors="surrogateescape")
        for number, where, who, content, timestamp in connection.execute(query):
            yield Row(number, str(where), who, content, timestamp)
