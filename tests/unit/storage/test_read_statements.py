"""Statements that the driver of SQLite executes return what SQLAlchemy returns, and raise its errors."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import bindparam, create_engine, select, true
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from chatapp.accounts.queries import _FIND_LOGIN as FIND_LOGIN
from chatapp.api.tokens.queries import _FIND as FIND_TOKEN
from chatapp.conversations.kinds import General
from chatapp.conversations.queries import _FIND_ACCESS as FIND_ACCESS
from chatapp.conversations.sidebar import _SELECT as SIDEBAR
from chatapp.models import Conversation, Installation
from chatapp.models.base import Base, UtcDateTime
from chatapp.storage import ReadStatement
from chatapp.timeline.conversation_state import _SELECT as STATE
from chatapp.timeline.reading import _LAST as LAST_MESSAGES

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

STATEMENT = (
    select(
        Conversation.id, Conversation.extra, Conversation.created_at, Conversation.ended_at, true(), Installation.epoch
    )
    .join(Installation, Installation.id == 1)
    .where(Conversation.created_at <= bindparam("now", type_=UtcDateTime()), Conversation.kind == "general")
    .limit(bindparam("limit"))
)


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(
            [Installation(id=1, epoch="1"), General.new(id=1, name="General", extra={"a": 1}, created_at=NOON)]
        )
        session.flush()
        yield session
    engine.dispose()


def test_rows_are_those_that_sqlalchemy_returns(session: Session) -> None:
    parameters = {"now": NOON, "limit": 10}

    rows = ReadStatement(STATEMENT).fetch(session, **parameters)

    assert [tuple(row) for row in rows] == [(1, {"a": 1}, NOON, None, True, "1")]
    assert [tuple(row) for row in rows] == [tuple(row) for row in session.execute(STATEMENT, parameters)]


def test_each_execution_has_its_own_parameters(session: Session) -> None:
    statement = ReadStatement(STATEMENT)

    assert len(statement.fetch(session, now=NOON, limit=10)) == 1
    assert statement.fetch(session, now=NOON.replace(hour=11), limit=10) == []
    assert statement.fetch(session, now=NOON, limit=0) == []


@pytest.mark.parametrize("statement", [FIND_LOGIN, FIND_TOKEN, FIND_ACCESS, STATE, LAST_MESSAGES, SIDEBAR])
def test_sqlite_plans_the_statements_of_requests_only_once(statement: ReadStatement) -> None:
    text = str(statement._statement.compile(dialect=sqlite.dialect()))
    assert not re.search(r"LIMIT \?|(kind|visibility|assistant) = \?", text)


def test_errors_are_those_of_sqlalchemy(session: Session) -> None:
    session.connection().exec_driver_sql("DROP TABLE installation")

    with pytest.raises(OperationalError, match="no such table: installation"):
        ReadStatement(STATEMENT).fetch(session, now=NOON, limit=10)


def test_a_statement_that_only_sqlalchemy_can_execute_is_logged_once(session: Session) -> None:
    statement = ReadStatement(STATEMENT)
    parameters = {"now": NOON, "limit": 10}
    statement.fetch(session, **parameters)
    for compiled in statement._compiled.values():
        compiled.text = "SELECT of_a_former_release"

    with capture_logs() as logs:
        for _ in range(2):
            assert len(statement.fetch(session, **parameters)) == 1

    assert [(line["log_level"], line["reason"]) for line in logs] == [
        ("warning", "no such column: of_a_former_release")
    ]
