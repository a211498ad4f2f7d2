"""The writer: one order, one commit for all that waits, and each change's mistakes its own."""

import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, insert, select

from chatapp.accounts.service import create_owner
from chatapp.actors import Actor
from chatapp.config import Settings
from chatapp.conversations.names import GENERAL
from chatapp.errors import Busy, ChatError, Forbidden, Unavailable
from chatapp.extensions import db
from chatapp.models import Message, User
from chatapp.storage import Transaction, Writer, current_writer
from chatapp.supervision import Supervisor
from chatapp.timeline import create_writer
from chatapp.timeline.posting import Post, post

BOUND = 20


@pytest.fixture
def writer(app: Flask) -> Iterator[Writer]:
    create_owner("ana", "Ana", "a good password")
    settings: Settings = app.extensions["chatapp.settings"]
    writer = create_writer(settings.model_copy(update={"max_queued_writes": BOUND}), Supervisor())
    yield writer
    writer.stop(5)
    current_writer().stop(5)


class Held:
    """A change that holds the writer up until it is let go."""

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
    """Submit changes that are to meet in one batch; give for each what it returned or raised."""
    outcomes: list[Any] = [None] * len(changes)

    def submit(place: int) -> None:
        try:
            outcomes[place] = writer.submit(changes[place])
        except Exception as error:
            outcomes[place] = error

    with Held(writer):
        threads = [threading.Thread(target=submit, args=(place,)) for place in range(len(changes))]
        for thread in threads:
            thread.start()
        while writer.queued < len(changes):
            pass
    for thread in threads:
        thread.join()
    return outcomes


def a_post(content: str, actor: Actor | None = None) -> Post:
    from chatapp.models import now

    return Post(GENERAL, actor or Actor(1), content, str(uuid.uuid4()), now())


def stored() -> set[str]:
    db.session.rollback()
    return set(db.session.scalars(select(Message.content)))


def test_what_waits_meanwhile_is_committed_as_one_transaction(writer: Writer) -> None:
    commits: list[object] = []
    event.listen(writer._committer._engine, "commit", commits.append)
    outcomes = submit_all(writer, [a_post(f"message {number}") for number in range(BOUND)])
    assert sorted(message.seq for message in outcomes) == list(range(1, BOUND + 1))
    assert len(commits) == 1
    assert len(stored()) == BOUND


def test_a_bad_change_fails_alone(writer: Writer) -> None:
    def refuse(_transaction: Transaction) -> None:
        raise Forbidden("no")

    def break_a_rule(transaction: Transaction) -> None:
        transaction.session.execute(insert(User).values(id=99, username="ana", name="x", password_hash="x", role="x"))

    good = [a_post("one"), a_post("two"), a_post("three")]
    outcomes = submit_all(writer, [good[0], refuse, break_a_rule, good[1], a_post("nobody's", Actor(77)), good[2]])
    assert stored() == {"one", "two", "three"}
    assert isinstance(outcomes[1], Forbidden)
    assert isinstance(outcomes[2], Exception)
    assert isinstance(outcomes[4], ChatError)
    assert writer.submit(a_post("four")).seq == 4


def test_past_its_bound_it_refuses_and_says_when_to_try_again(writer: Writer) -> None:
    with Held(writer):
        threads = [threading.Thread(target=writer.submit, args=(a_post(f"{number}"),)) for number in range(BOUND)]
        for thread in threads:
            thread.start()
        while writer.queued < BOUND:
            pass
        with pytest.raises(Busy) as refused:
            writer.submit(a_post("one too many"))
        assert refused.value.as_dict()["retry_after"] == Busy.retry_after
    for thread in threads:
        thread.join()
    assert len(stored()) == BOUND


def test_after_a_stop_it_takes_nothing_more(writer: Writer) -> None:
    assert post(GENERAL, Actor(1), content="before", client_id=str(uuid.uuid4())).seq == 1
    writer.stop(5)
    with pytest.raises(Unavailable):
        writer.submit(a_post("after"))
