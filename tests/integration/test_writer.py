"""The writer with posts, on both databases: group commit, and errors of single changes."""

import threading
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import event, insert, select

from chatapp.accounts.service import create_owner
from chatapp.actors import Actor
from chatapp.concurrency.supervision import Supervisor
from chatapp.config import Settings
from chatapp.conversations.refs import GENERAL, ConversationRef, parse_ref
from chatapp.conversations.service import create_room
from chatapp.errors import Busy, ChatError, Forbidden, Unavailable
from chatapp.extensions import db
from chatapp.models import Message, User
from chatapp.signals import Signals
from chatapp.storage import Transaction, Writer, current_writer, write, write_later
from chatapp.timeline import create_writer, edit
from chatapp.timeline.posting import Post, post
from tests.harness.waiting import eventually

MAX_QUEUED = 20


@pytest.fixture
def writer(app: Flask) -> Iterator[Writer]:
    create_owner("ana", "Ana", "a good password")
    settings: Settings = app.extensions["chatapp.settings"]
    writer = create_writer(settings.model_copy(update={"max_queued_writes": MAX_QUEUED}), Supervisor(), Signals())
    yield writer
    writer.stop(5)


class Blocked:
    """A change that blocks the writer while the `with` block runs."""

    def __init__(self, writer: Writer) -> None:
        self._entered, self._released = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=writer.submit, args=(self._wait,))

    def _wait(self, _transaction: Transaction) -> None:
        self._entered.set()
        assert self._released.wait(10)

    def __enter__(self) -> None:
        self._thread.start()
        assert self._entered.wait(10)

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._thread.join()


def submit_all(writer: Writer, changes: list[Callable[[Transaction], Any]]) -> list[Any]:
    """Submit changes as one batch, and return the result or the exception of each."""
    outcomes: list[Any] = [None] * len(changes)

    def submit(place: int) -> None:
        try:
            outcomes[place] = writer.submit(changes[place])
        except Exception as error:
            outcomes[place] = error

    with Blocked(writer):
        threads = [threading.Thread(target=submit, args=(place,)) for place in range(len(changes))]
        for thread in threads:
            thread.start()
        while writer.queued < len(changes):
            pass
    for thread in threads:
        thread.join()
    return outcomes


def create_post(content: str, actor: Actor | None = None) -> Post:
    from chatapp.models import now

    return Post(GENERAL, actor or Actor(1), content, str(uuid.uuid4()), now())


def stored_contents() -> set[str]:
    db.session.rollback()
    return set(db.session.scalars(select(Message.content)))


def test_queued_changes_are_committed_as_one_transaction(writer: Writer) -> None:
    writer.submit(lambda _transaction: None)  # A new connection to PostgreSQL is checked, with a commit of its own.
    commits: list[object] = []
    event.listen(writer._committer._engine, "commit", commits.append)
    outcomes = submit_all(writer, [create_post(f"message {number}") for number in range(MAX_QUEUED)])
    assert sorted(message.seq for message in outcomes) == list(range(1, MAX_QUEUED + 1))
    assert len(commits) == 1
    assert len(stored_contents()) == MAX_QUEUED


def test_a_failing_change_does_not_affect_the_others(writer: Writer) -> None:
    def refuse(_transaction: Transaction) -> None:
        raise Forbidden("no")

    def violate_a_constraint(transaction: Transaction) -> None:
        transaction.session.execute(insert(User).values(id=99, username="ana", name="x", password_hash="x", role="x"))

    good = [create_post("one"), create_post("two"), create_post("three")]
    outcomes = submit_all(
        writer, [good[0], refuse, violate_a_constraint, good[1], create_post("nobody's", Actor(77)), good[2]]
    )
    assert stored_contents() == {"one", "two", "three"}
    assert isinstance(outcomes[1], Forbidden)
    assert isinstance(outcomes[2], Exception)
    assert isinstance(outcomes[4], ChatError)
    assert writer.submit(create_post("four")).seq == 4


def test_a_full_queue_refuses_changes_with_busy_and_a_retry_delay(writer: Writer) -> None:
    with Blocked(writer):
        threads = [
            threading.Thread(target=writer.submit, args=(create_post(f"{number}"),)) for number in range(MAX_QUEUED)
        ]
        for thread in threads:
            thread.start()
        while writer.queued < MAX_QUEUED:
            pass
        with pytest.raises(Busy) as refused:
            writer.submit(create_post("one too many"))
        assert refused.value.as_dict()["retry_after"] == Busy.retry_after
    for thread in threads:
        thread.join()
    assert len(stored_contents()) == MAX_QUEUED


def test_a_stopped_writer_accepts_nothing(writer: Writer) -> None:
    assert post(GENERAL, Actor(1), content="before", client_id=str(uuid.uuid4())).seq == 1
    writer.stop(5)
    with pytest.raises(Unavailable):
        writer.submit(create_post("after"))


def test_a_change_that_nobody_waits_for_is_logged_if_it_fails_unexpectedly(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(error: Exception, _transaction: Transaction) -> None:
        raise error

    for error in (ValueError("unexpected"), Forbidden("refused")):
        write_later(partial(fail, error))
    write(lambda _transaction: None)
    failures = [record.getMessage() for record in caplog.records if "change failed" in record.getMessage()]
    assert len(failures) == 1
    assert "unexpected" in failures[0]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_batch_locks_its_conversations_in_the_order_of_their_ids(app: Flask, database_url: str) -> None:
    # The batches of two processes would otherwise wait for each other.
    create_owner("ana", "Ana", "a good password")
    room = parse_ref(f"room_{create_room(Actor(1), name='Plans', topic='', visibility='private')}")
    post(room, Actor(1), content="a message", client_id=str(uuid.uuid4()))
    changes: list[Callable[[], object]] = [
        lambda: edit(room, Actor(1), 1, content="an edited message"),
        lambda: post(GENERAL, Actor(1), content="another message", client_id=str(uuid.uuid4())),
    ]

    def run(change: Callable[[], object]) -> None:
        with app.app_context():
            change()

    threads = [threading.Thread(target=run, args=(change,)) for change in changes]
    with psycopg.connect(database_url) as other, psycopg.connect(database_url, autocommit=True) as observer:
        lock(other, GENERAL)
        with Blocked(current_writer()):
            for thread in threads:
                queued = current_writer().queued
                thread.start()
                eventually(partial(has_queued, queued + 1), "the change is queued")
        waiting = b"SELECT count(*) FROM pg_locks WHERE NOT granted"
        eventually(lambda: observer.execute(waiting).fetchone() == (1,), "the batch waits for a lock")
        lock(other, room)
    for thread in threads:
        thread.join()
    assert stored_contents() == {"an edited message", "another message"}


def has_queued(count: int) -> bool:
    """Return whether so many changes wait."""
    return current_writer().queued == count


def lock(session: psycopg.Connection, conversation: ConversationRef) -> None:
    """Lock a conversation; fail if somebody else has locked it."""
    session.execute("SELECT 1 FROM conversations WHERE id = %s FOR UPDATE NOWAIT", [conversation.id])
