"""Import of the rows of a source into the database."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatapp.assistants.importing.entries import Entry, parse_entry
from chatapp.assistants.importing.sources import Row, Source
from chatapp.assistants.queries import find_shared_conversation
from chatapp.assistants.titles import make_title
from chatapp.config.assistants import ASSISTANT_NAME_PATTERN, make_assistant_key
from chatapp.conversations.kinds import AssistantSession, SharedAssistant
from chatapp.conversations.queries import find_conversation
from chatapp.conversations.refs import assistant_ref
from chatapp.errors import ChatError, Invalid, NotFound
from chatapp.models import Conversation, Membership, Message
from chatapp.storage import Transaction, write
from chatapp.timeline.event_numbers import lock_conversation, new_message_columns

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
    problems: tuple[str, ...] = ()
    """A message for each invalid row."""

    @property
    def total(self) -> int:
        """The number of rows."""
        return self.imported + self.known + len(self.problems)


def import_rows(source: Source, target: Target) -> Iterator[BatchResult]:
    """Import all rows in batches and yield the result of each batch."""
    for conversation, rows in groupby(source.rows, key=lambda row: row.conversation):
        conversation_id: int | None = None
        while batch := list(islice(rows, BATCH_SIZE)):
            entries, problems = _parse_batch(batch, source, target)
            imported = 0
            if entries:
                conversation_id, imported = write(
                    _store_entries(source, target, conversation, entries, conversation_id)
                )
                time.sleep(BATCH_PAUSE_SECONDS)
            yield BatchResult(imported, len(entries) - imported, tuple(problems))


def _parse_batch(batch: Sequence[Row], source: Source, target: Target) -> tuple[list[Entry], list[str]]:
    entries: list[Entry] = []
    problems: list[str] = []
    for row in batch:
        try:
            entries.append(_parse_row(row, source, target))
        except ChatError as error:
            problems.append(f"row {row.number} of {row.conversation}: {error.message}")
    return entries, problems


def _parse_row(row: Row, source: Source, target: Target) -> Entry:
    if not source.has_sessions and not ASSISTANT_NAME_PATTERN.fullmatch(row.conversation.strip()):
        raise Invalid("The bot_id is not a valid name of an assistant.")
    name = target.assistant if source.has_sessions else row.conversation.strip()
    return parse_entry(
        row,
        target.assistant_names.get(make_assistant_key(name), name),
        owner_id=target.owner_id if source.has_sessions else None,
        has_sessions=source.has_sessions,
    )


def _store_entries(
    source: Source, target: Target, name: str, entries: Sequence[Entry], conversation_id: int | None
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
            conversation = _find_session(session, known_id) or _create_session(session, target, entries)
        else:
            conversation = _get_or_create_shared_conversation(session, name)
        lock_conversation(session, conversation.id)
        new_entries = {entry.client_id: entry for entry in entries if entry.client_id not in known}
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
            session.add(Message(**columns))
        session.flush()
        return conversation.id, len(new_entries)

    return change


def _find_session(session: Session, conversation_id: int | None) -> Conversation | None:
    if conversation_id is None:
        return None
    conversation = find_conversation(session, assistant_ref(conversation_id))
    if conversation is None:
        raise NotFound("The session was deleted during the import.")
    return conversation


def _create_session(session: Session, target: Target, entries: Sequence[Entry]) -> Conversation:
    first = next((entry for entry in entries if entry.sender_type == "user"), entries[0])
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


def _get_or_create_shared_conversation(session: Session, assistant: str) -> Conversation:
    conversation = find_shared_conversation(session, assistant)
    if conversation is None:
        conversation = SharedAssistant.new(assistant=make_assistant_key(assistant), name=assistant.strip())
        session.add(conversation)
        session.flush()
    return conversation
