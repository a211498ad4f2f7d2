"""Catch-ups of long messages: they load little more than they return."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy.orm import Session

from chatapp.config import EXTENSION as SETTINGS
from chatapp.extensions import db
from chatapp.models import Conversation, Message
from chatapp.storage.engines import writer_engine
from chatapp.timeline import catch_up
from chatapp.timeline.known_messages import EXTENSION, FIRST_PART_SIZE, MESSAGE_CHARS
from chatapp.timeline.reading import CATCH_UP_SIZE
from chatapp.timeline.sizes import MAX_LISTED_CHARS

LONG = 10_000


@pytest.fixture
def post(app: Flask) -> Callable[[Sequence[int]], Conversation]:
    """Return a function that posts messages with these numbers of characters to the general chat."""

    def post(lengths: Sequence[int]) -> Conversation:
        engine = writer_engine(app.extensions[SETTINGS])
        with Session(engine) as session, session.begin():
            session.add_all(
                Message(conversation_id=1, seq=number, version=number, content="x" * length)
                for number, length in enumerate(lengths, 1)
            )
            session.get_one(Conversation, 1).last_event = len(lengths)
        engine.dispose()
        return db.session().get_one(Conversation, 1)

    return post


@pytest.mark.parametrize("cursor", [{"after": 0}, {"after": None, "last_page_size": CATCH_UP_SIZE}])
def test_a_catch_up_of_long_messages_loads_few_that_it_does_not_return(
    app: Flask, post: Callable[[Sequence[int]], Conversation], cursor: dict[str, Any]
) -> None:
    conversation = post([LONG] * CATCH_UP_SIZE)
    missed = catch_up(db.session(), conversation, **cursor)
    assert missed.is_cut
    assert len(missed.messages) == MAX_LISTED_CHARS // LONG
    assert app.extensions[EXTENSION].size <= FIRST_PART_SIZE * (LONG + MESSAGE_CHARS)


def test_a_catch_up_of_short_messages_returns_all(post: Callable[[Sequence[int]], Conversation]) -> None:
    conversation = post([1] * CATCH_UP_SIZE)
    missed = catch_up(db.session(), conversation, after=0)
    assert not missed.is_cut
    assert len(missed.messages) == CATCH_UP_SIZE


@pytest.mark.parametrize("known", [0, 3, 50])
def test_catch_ups_of_messages_of_all_lengths_return_each_message_once(
    post: Callable[[Sequence[int]], Conversation], known: int
) -> None:
    lengths = [1] * 30 + [MAX_LISTED_CHARS, LONG] + [LONG, 1] * 40 + [LONG] * 9 + [1] * 250
    conversation = post(lengths)
    if known:
        catch_up(db.session(), conversation, after=known)
    after, has_more = 0, True
    seqs: list[int | None] = []
    while has_more:
        missed = catch_up(db.session(), conversation, after=after)
        seqs += [message.seq for message in missed.messages]
        after, has_more = missed.end, missed.has_more
    assert seqs == list(range(1, len(lengths) + 1))


@pytest.mark.parametrize(
    "lengths",
    [
        [1] * CATCH_UP_SIZE,
        [LONG] * CATCH_UP_SIZE,
        [MAX_LISTED_CHARS // FIRST_PART_SIZE - 1] * FIRST_PART_SIZE + [0] * (CATCH_UP_SIZE - FIRST_PART_SIZE),
    ],
)
def test_a_catch_up_loads_messages_of_all_lengths_with_few_statements(
    post: Callable[[Sequence[int]], Conversation], lengths: Sequence[int]
) -> None:
    conversation = post(lengths)
    statements: list[str] = []
    engine = db.session().get_bind()
    event.listen(engine, "before_cursor_execute", lambda _c, _cursor, statement, *_: statements.append(statement))
    catch_up(db.session(), conversation, after=0)
    assert sum("messages.content" in statement for statement in statements) in range(1, 5)
