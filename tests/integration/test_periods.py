"""The messages of a period: found by an index on both databases, complete whatever the order of their times."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, event, func, select
from sqlalchemy.orm import Session

from chatapp.config import EXTENSION as SETTINGS
from chatapp.extensions import db
from chatapp.models import Conversation, Message
from chatapp.storage.engines import writer_engine
from chatapp.timeline import read_page
from chatapp.timeline.reading import find_first_since
from tests.harness.plans import explain

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTES = [0, 1, 1, 1, 5, 2, 3, 9, 7, 8]
"""When the messages were posted: several at the same time, and imported ones that are older than those before them."""


@pytest.fixture
def conversation(app: Flask) -> Iterator[Conversation]:
    engine = writer_engine(app.extensions[SETTINGS])
    with Session(engine) as session, session.begin():
        session.add_all(
            Message(
                conversation_id=1,
                seq=3 * number,
                version=3 * number,
                content=f"{number}",
                created_at=START + timedelta(minutes=minute),
            )
            for number, minute in enumerate(MINUTES, 1)
        )
        session.get_one(Conversation, 1).last_event = 3 * len(MINUTES)
    engine.dispose()
    yield db.session().get_one(Conversation, 1)
    db.session.remove()


def by_time(since: int, until: int) -> list[int]:
    """Return the numbers of the messages of a period in minutes, in the order of their times."""
    found = sorted((minute, 3 * number) for number, minute in enumerate(MINUTES, 1) if since <= minute < until)
    return [seq for _, seq in found]


@pytest.mark.parametrize("limit", [1, 2, 3, 20])
def test_pages_contain_each_message_of_a_period_once_in_both_directions(conversation: Conversation, limit: int) -> None:
    def read(**cursor: Any) -> Any:
        return read_page(db.session(), conversation, **period, **cursor, limit=limit)

    for since, until in ((0, 10), (1, 2), (1, 9), (2, 8), (5, 6), (6, 7), (20, 30)):
        period: dict[str, Any] = {
            "since": START + timedelta(minutes=since),
            "until": START + timedelta(minutes=until),
        }
        page = read()
        backwards = [message.seq for message in page.messages]
        while page.has_older:
            page = read(before=page.messages[0].seq)
            assert page.has_newer
            backwards = [message.seq for message in page.messages] + backwards
        page = read(after=0)
        assert not page.has_older
        forwards = [message.seq for message in page.messages]
        while page.has_newer:
            page = read(after=page.messages[-1].seq)
            assert page.has_older
            forwards += [message.seq for message in page.messages]
        assert backwards == forwards == by_time(since, until)


def test_one_bound_is_enough_and_a_cursor_may_lie_between_messages_or_outside_of_the_period(
    conversation: Conversation,
) -> None:
    def seqs(**bounds: Any) -> list[int | None]:
        return [message.seq for message in read_page(db.session(), conversation, **bounds, limit=20).messages]

    middle = START + timedelta(minutes=3)
    assert seqs(since=middle) == by_time(3, 10)
    assert seqs(until=middle) == by_time(0, 3)
    assert seqs(since=middle, after=4) == by_time(3, 10)
    assert seqs(since=middle, before=4) == []
    assert seqs(until=middle, before=5) == [3]
    assert seqs(until=middle, before=1_000) == seqs(until=middle, after=0) == by_time(0, 3)
    assert seqs(until=middle, after=1_000) == []


def test_queries_by_time_scan_a_range_of_an_index_and_sort_nothing(conversation: Conversation) -> None:
    period = {"since": START + timedelta(minutes=2), "until": START + timedelta(minutes=8)}
    statements: list[tuple[str, Any]] = []
    connection = db.session().connection()

    def note(_connection: Connection, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        statements.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    for bounds in (period, {"since": START}, {"until": START}, period | {"before": 15}, period | {"after": 9}):
        read_page(db.session(), conversation, **bounds, limit=10)
    assert find_first_since(db.session(), conversation, START + timedelta(minutes=4)) == 15
    assert find_first_since(db.session(), conversation, START + timedelta(minutes=10)) is None
    db.session().execute(select(Conversation).where(Conversation.updated_at >= START))
    db.session().execute(select(func.count()).where(Conversation.created_at >= START))
    by_use, by_start = statements[-2:]
    event.remove(connection, "before_cursor_execute", note)

    # Four pages, a look beyond each cursor, and the first messages of two days.
    plans = [
        explain(connection, *each, may_sort=False)
        for each in statements
        if "(messages.created_at, messages.seq) >=" in each[0]
    ]
    assert len(plans) == 9
    for plan in plans:
        assert "ix_messages_conversation_id_created_at_seq" in plan
        assert "created_at" in plan
        assert "sort" not in plan.lower()
        assert "temp b-tree" not in plan.lower()
    assert "ix_conversations_updated_at" in explain(connection, *by_use, may_sort=False)
    assert "ix_conversations_created_at" in explain(connection, *by_start, may_sort=False)


def test_a_page_takes_the_same_number_of_queries_whatever_its_length(conversation: Conversation) -> None:
    statements: list[str] = []
    connection = db.session().connection()

    def note(_connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    counts = []
    for limit in (1, len(MINUTES)):
        page = read_page(db.session(), conversation, limit=limit)
        assert len(page.messages) == limit
        counts.append(len(statements))
        statements.clear()
    event.remove(connection, "before_cursor_execute", note)
    assert counts[0] == counts[1] > 0
