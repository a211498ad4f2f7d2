"""Changes of a table with one column, for tests of the write path without an application."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, event, insert, select
from sqlalchemy.exc import OperationalError

from chatapp.config import Settings
from chatapp.errors import ChatError, Conflict
from chatapp.signals import Signal
from chatapp.storage.changes import IdempotencyKey, SpoolableChange
from chatapp.storage.engines import writer_engine
from chatapp.storage.transaction import DeferredSignal, Transaction

notes = Table("notes", MetaData(), Column("text", String, primary_key=True))

note_added: Signal[str] = Signal("note-added")
note_pending: Signal[str] = Signal("note-pending")
note_rejected: Signal[str] = Signal("note-rejected")


@contextmanager
def notes_engine(data_dir: Path) -> Iterator[Engine]:
    engine = writer_engine(Settings(data_dir=data_dir, database_url=""))
    notes.metadata.create_all(engine)
    yield engine
    engine.dispose()


def list_notes(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(select(notes.c.text)))


@contextmanager
def failing_commits(engine: Engine) -> Iterator[None]:
    """Let each commit fail as it does when the disk is full."""

    def fail(_connection: Connection) -> None:
        raise OperationalError("COMMIT", None, Exception("disk is full"))

    event.listen(engine, "commit", fail)
    yield
    event.remove(engine, "commit", fail)


@dataclass(frozen=True)
class AddNote(SpoolableChange[str]):
    """Adds a note. A text that begins with "bad" is rejected, one that begins with "broken" fails its whole batch."""

    text: str
    is_spoolable: bool = True
    sender_id: int = 1

    @property
    def key(self) -> IdempotencyKey:
        return self.text, self.sender_id

    @classmethod
    def apply_batch(cls, transaction: Transaction, changes: Sequence[Any]) -> Sequence[str | ChatError]:
        return [cls._apply(transaction, change.text) for change in changes]

    @staticmethod
    def _apply(transaction: Transaction, text: str) -> str | ChatError:
        if text.startswith("broken"):
            raise ValueError(text)
        if text.startswith("bad"):
            return Conflict(text)
        transaction.session.execute(insert(notes).values(text=text))
        transaction.send_on_commit(note_added, text)
        return f"stored {text}"

    def pending_result(self) -> str | None:
        return f"pending {self.text}" if self.is_spoolable else None

    def pending_signal(self, result: str) -> DeferredSignal[Any]:
        return DeferredSignal(note_pending, result)

    def rejected_signal(self, error: ChatError) -> DeferredSignal[Any]:
        return DeferredSignal(note_rejected, f"{error.code}: {error.message}")

    def to_fields(self) -> dict[str, object]:
        return {"text": self.text, "sender_id": self.sender_id}

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> "AddNote":
        return cls(**fields)
