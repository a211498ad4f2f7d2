"""Copying in batches, after an interruption too. Both databases are SQLite here."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, func, insert, select, text, update
from sqlalchemy.engine import URL

from chatapp.database_copy import copying
from chatapp.database_copy.progress import has_unfinished_copy
from chatapp.errors import Conflict, Invalid
from chatapp.models import Base, Conversation, Installation, Message, Reaction, User, now
from chatapp.storage.engines import copying_engine

MESSAGES = 7


class Interrupted(Exception):
    """The copy was interrupted."""


@pytest.fixture
def databases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Connection, Connection]]:
    """A source with data, and an empty target, in batches of two rows."""
    monkeypatch.setattr(copying, "BATCH_ROWS", 2)
    with ExitStack() as stack:
        source, target = (
            stack.enter_context(
                copying_engine(URL.create("sqlite", database=str(tmp_path / name)), None, is_locking=True).connect()
            )
            for name in ("source", "target")
        )
        for connection in (source, target):
            Base.metadata.create_all(connection)
            # The search index, which is not copied.
            connection.exec_driver_sql("CREATE VIRTUAL TABLE message_search USING fts5(tokens, content='')")
            connection.exec_driver_sql("CREATE TABLE message_search_state (position, tokenizer)")
            connection.execute(insert(Installation).values(id=1, epoch="old"))
            connection.commit()
        fill(source)
        source.commit()
        yield source, target


def fill(connection: Connection) -> None:
    connection.execute(update(Installation).values(epoch="of the source"))
    connection.execute(insert(Conversation).values(id=1, kind="general", name="General", last_event=MESSAGES))
    for number in (1, 2, 9):
        connection.execute(insert(User).values(id=number, username=f"u{number}", name="U", password_hash=""))
    connection.execute(delete(User).where(User.id == 9))
    for number in range(1, MESSAGES + 1):
        connection.execute(
            insert(Message).values(id=number, conversation_id=1, seq=number, version=number, sender_id=1, content="x")
        )
        for user in (1, 2):
            connection.execute(
                insert(Reaction).values(message_id=number, user_id=user, reaction="👍", created_at=now())
            )


def rows(connection: Connection) -> dict[str, list[object]]:
    tables = Base.metadata.sorted_tables
    return {table.name: [*connection.execute(select(table).order_by(*table.primary_key))] for table in tables}


def copy(source: Connection, target: Connection, *, batches: int = -1, restart: bool = False) -> int:
    """Copy, interrupt it after some batches, and return the number of batches."""
    done = 0

    def advance(_rows: int) -> None:
        nonlocal done
        done += 1
        if done == batches:
            raise Interrupted

    progress = copying.prepare(source, target, restart=restart)
    copying.copy_rows(source, target, progress, advance)
    return done


def test_a_copy_that_is_interrupted_after_any_batch_continues_with_the_next(
    databases: tuple[Connection, Connection],
) -> None:
    source, target = databases
    batches = copy(source, target)
    assert rows(target) == rows(source)
    for interrupted_after in range(1, batches):
        with pytest.raises(Interrupted):
            copy(source, target, batches=interrupted_after, restart=True)
        target.rollback()
        assert rows(target) != rows(source)
        assert copy(source, target) == batches - interrupted_after
        assert rows(target) == rows(source)
    assert copying.compare(source, target, lambda _rows: None)
    assert has_unfinished_copy(target)
    copying.finish(target)
    assert not has_unfinished_copy(target)


def test_ids_of_deleted_rows_are_not_used_again(databases: tuple[Connection, Connection]) -> None:
    source, target = databases
    copy(source, target)
    target.execute(insert(User).values(username="new", name="New", password_hash=""))
    assert target.execute(select(func.max(User.id))).scalar_one() == 10


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("DELETE FROM reactions WHERE message_id = 3", r"reactions \(14 rows in FROM, 12 in TO\)\. Use --restart"),
        ("UPDATE messages SET content = 'y' WHERE seq = 3", r"messages \(other values\)"),
        ("UPDATE users SET is_active = 0", r"users \(other values\)"),
    ],
)
def test_a_difference_is_found(databases: tuple[Connection, Connection], change: str, reason: str) -> None:
    source, target = databases
    copy(source, target)
    target.execute(text(change))
    with pytest.raises(Invalid, match=reason):
        copying.compare(source, target, lambda _rows: None)


def test_a_copy_continues_only_from_the_source_that_it_began_with(databases: tuple[Connection, Connection]) -> None:
    source, target = databases
    with pytest.raises(Interrupted):
        copy(source, target, batches=3)
    target.rollback()
    source.execute(update(Conversation).values(last_event=MESSAGES + 1))
    with pytest.raises(Conflict, match="FROM has changed since the copy began"):
        copy(source, target)
    source.execute(update(Installation).values(epoch="of another"))
    with pytest.raises(Conflict, match="of another installation"):
        copy(source, target)
    copy(source, target, restart=True)
    assert rows(target) == rows(source)
