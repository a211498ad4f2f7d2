"""Import of the rows of a source into the database."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatapp.assistants.importing.entries import (
    Entry,
    is_missing,
    is_transient,
    parse_entry,
    parse_metadata,
    parse_tags,
    parse_timestamp,
)
from chatapp.assistants.importing.sources import Row, Source
from chatapp.assistants.queries import find_shared_conversation
from chatapp.assistants.service import MAX_TITLE_CHARS
from chatapp.assistants.tags import clean_category
from chatapp.assistants.titles import make_title
from chatapp.config.assistants import ASSISTANT_NAME_PATTERN, make_assistant_key
from chatapp.conversations.kinds import AssistantSession, SharedAssistant
from chatapp.conversations.queries import find_conversation
from chatapp.conversations.refs import assistant_ref
from chatapp.errors import ChatError, Invalid, NotFound
from chatapp.models import Conversation, Membership, Message, now
from chatapp.search.index import index_rows
from chatapp.storage import Transaction, write
from chatapp.text import clean_line
from chatapp.timeline.event_numbers import lock_conversation, new_message_columns
from chatapp.timeline.metadata import Metadata

BATCH_SIZE = 500
"""Rows of one transaction, which blocks other writers for some milliseconds."""

BATCH_PAUSE_SECONDS = 0.01
"""Pause between two transactions, in which other processes can write."""


@dataclass(frozen=True, slots=True)
class Target:
    """The destination of imported rows."""

    assistant_names: Mapping[str, str]
    """Display names by the keys of assistants."""
    owner_id: int | None = None
    """The user whose sessions the conversations become, in a source with sessions."""
    assistant: str = ""
    """The key of the assistant of these sessions."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The result of importing some rows."""

    imported: int = 0
    known: int = 0
    """Rows that had been imported before."""
    skipped: int = 0
    """Rows that are not messages, such as those of the type `typing`."""
    undated: int = 0
    """Messages that had no time and got that of a neighbour."""
    problems: tuple[str, ...] = ()
    """A message for each invalid row."""

    @property
    def total(self) -> int:
        """The number of rows."""
        return self.imported + self.known + self.skipped + len(self.problems)


@dataclass(frozen=True, slots=True)
class SessionDetails:
    """The title, the metadata, the category and the tags of a session, if the source has them."""

    title: str = ""
    metadata: Metadata | None = None
    category: str = ""
    tags: str = ""


@dataclass(slots=True)
class _Batch:
    """The valid rows of a batch, and what was found out about the others."""

    entries: list[Entry]
    problems: list[str]
    skipped: int = 0
    undated: int = 0


def import_rows(source: Source, target: Target) -> Iterator[BatchResult]:
    """Import all rows in batches and yield the result of each batch."""
    for conversation, rows in groupby(source.rows, key=lambda row: row.conversation):
        conversation_id: int | None = None
        last_time: datetime | None = None
        details: SessionDetails | None = None
        while batch := list(islice(rows, BATCH_SIZE)):
            if details is None:
                details, problem = _parse_session(batch[0])
                if problem:
                    yield BatchResult(problems=(problem,))
            times = fill_times(batch, last_time)
            parsed = _parse_batch(batch, times, source, target)
            imported = 0
            if parsed.entries:
                conversation_id, imported = write(
                    _store_entries(source, target, conversation, parsed.entries, conversation_id, details)
                )
                time.sleep(BATCH_PAUSE_SECONDS)
            last_time = times[-1]
            known = len(parsed.entries) - imported
            yield BatchResult(imported, known, parsed.skipped, parsed.undated, tuple(parsed.problems))


def fill_times(rows: Sequence[Row], previous: datetime | None) -> list[datetime]:
    """Return the time of each row; without a valid one that of the row before it, or else of the next that has one.

    `previous` is the time of the row before the first. If no row has a time, it is the present.
    """
    times = [_find_time(row) for row in rows]
    latest = previous or next((each for each in times if each is not None), None) or now()
    filled: list[datetime] = []
    for each in times:
        latest = each or latest
        filled.append(latest)
    return filled


def _find_time(row: Row) -> datetime | None:
    try:
        return parse_timestamp(row.timestamp)
    except Invalid:
        return None


def _parse_session(row: Row) -> tuple[SessionDetails, str | None]:
    """Return the details of the session that a row belongs to, and why they are not valid."""
    try:
        title = clean_line(
            " ".join(str(row.title or "").split())[:MAX_TITLE_CHARS], "A title", min_chars=0, max_chars=MAX_TITLE_CHARS
        )
        return SessionDetails(
            title, parse_metadata(row.session_metadata), clean_category(str(row.category or "")), parse_tags(row.tags)
        ), None
    except ChatError as error:
        return SessionDetails(), f"session {row.conversation}: {error.message}"


def _parse_batch(batch: Sequence[Row], times: Sequence[datetime], source: Source, target: Target) -> _Batch:
    parsed = _Batch([], [])
    for row, assumed_time in zip(batch, times, strict=True):
        if is_transient(row):
            parsed.skipped += 1
            continue
        try:
            parsed.entries.append(_parse_row(row, assumed_time, source, target))
            parsed.undated += is_missing(row.timestamp)
        except ChatError as error:
            parsed.problems.append(f"row {row.number} of {row.conversation}: {error.message}")
    return parsed


def _parse_row(row: Row, assumed_time: datetime, source: Source, target: Target) -> Entry:
    if not source.has_sessions and not ASSISTANT_NAME_PATTERN.fullmatch(row.conversation.strip()):
        raise Invalid("The bot_id is not a valid name of an assistant.")
    name = target.assistant if source.has_sessions else row.conversation.strip()
    return parse_entry(
        row,
        target.assistant_names.get(make_assistant_key(name), name),
        owner_id=target.owner_id if source.has_sessions else None,
        has_sessions=source.has_sessions,
        assumed_time=assumed_time,
    )


def _store_entries(
    source: Source,
    target: Target,
    name: str,
    entries: Sequence[Entry],
    conversation_id: int | None,
    details: SessionDetails,
) -> Callable[[Transaction], tuple[int, int]]:
    """Return a change that stores the entries, and returns the id of their conversation and the number of new ones."""

    def change(transaction: Transaction) -> tuple[int, int]:
        session = transaction.session
        known = {
            row.client_id: row.conversation_id
            for row in session.execute(
                select(Message.client_id, Message.conversation_id).where(
                    Message.client_id.in_([entry.client_id for entry in entries]), Message.sender_id.is_(None)
                )
            )
        }
        if source.has_sessions:
            known_id = conversation_id if conversation_id is not None else next(iter(known.values()), None)
            conversation = _find_session(session, known_id) or _create_session(session, target, entries, details)
        else:
            conversation = _get_or_create_shared_conversation(session, target, name)
        lock_conversation(session, conversation.id)
        new_entries = {entry.client_id: entry for entry in entries if entry.client_id not in known}
        added: list[Message] = []
        for entry in new_entries.values():
            columns = new_message_columns(
                transaction,
                conversation,
                sender_type=entry.sender_type,
                sender_name=entry.sender_name,
                content=entry.content,
                client_id=entry.client_id,
                state="complete" if entry.sender_type == "assistant" else None,
                created_at=entry.created_at,
                message_type=entry.message_type,
                extra=entry.metadata,
            )
            added.append(Message(**columns))
        session.add_all(added)
        session.flush()
        index_rows(session, added)
        return conversation.id, len(new_entries)

    return change


def _find_session(session: Session, conversation_id: int | None) -> Conversation | None:
    if conversation_id is None:
        return None
    conversation = find_conversation(session, assistant_ref(conversation_id))
    if conversation is None:
        raise NotFound("The session was deleted during the import.")
    return conversation


def _create_session(
    session: Session, target: Target, entries: Sequence[Entry], details: SessionDetails
) -> Conversation:
    first = next((entry for entry in entries if entry.sender_type == "user"), entries[0])
    conversation = AssistantSession.new(
        name=details.title or make_title(first.content),
        extra=details.metadata,
        category=details.category,
        tags=details.tags,
        assistant=target.assistant,
        creator_id=target.owner_id,
        created_at=min(entry.created_at for entry in entries),
    )
    session.add(conversation)
    session.flush()
    session.add(Membership(conversation_id=conversation.id, user_id=target.owner_id, role="manager"))
    return conversation


def _get_or_create_shared_conversation(session: Session, target: Target, assistant: str) -> Conversation:
    conversation = find_shared_conversation(session, assistant)
    if conversation is None:
        key = make_assistant_key(assistant)
        is_configured = key in target.assistant_names
        conversation = SharedAssistant.new(
            assistant=key, name=assistant.strip(), ended_at=None if is_configured else now()
        )
        session.add(conversation)
        session.flush()
    return conversation
