"""Two applications in one process: each has its own assistants, limits, signals and presented messages."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from chatapp import create_app
from chatapp.accounts.service import create_owner
from chatapp.actors import Actor
from chatapp.config import Settings
from chatapp.conversations.refs import GENERAL
from chatapp.extensions import db
from chatapp.models import Message
from chatapp.presentation.messages import present_message
from chatapp.storage import current_writer
from chatapp.timeline import TimelineMessage, post
from tests.harness.servers import SqliteTemplate


@pytest.fixture
def apps(sqlite_template: SqliteTemplate) -> Iterator[list[Flask]]:
    apps = [make_app(sqlite_template.copy(), assistant, limit) for assistant, limit in (("first", 1), ("second", 2))]
    yield apps
    for app in apps:
        with app.app_context():
            current_writer().stop(5)
            db.engine.dispose()


def make_app(data_dir: Path, assistant: str, daily_limit: int) -> Flask:
    (data_dir / "assistants.toml").write_text(f'[[assistant]]\nname = "{assistant}"\navatar = "{assistant[0]}"\n')
    app = create_app(Settings(data_dir=data_dir, assistant_daily_limit=daily_limit, log_level="WARNING"))
    with app.app_context():
        create_owner("ana", "Ana", "a good password")
    return app


def ask_both(app: Flask) -> list[tuple[str | None, str | None]]:
    """Mention both assistants, and return the sender and the state of the answers so far."""
    with app.app_context():
        post(GENERAL, Actor(1), content="@first @second hello", client_id=str(uuid.uuid4()))
        rows = db.session.execute(
            select(Message.sender_name, Message.state).where(Message.sender_type == "assistant").order_by(Message.seq)
        )
        return [(name, state) for name, state in rows]


def test_only_the_assistants_of_the_application_answer_within_its_limit(apps: list[Flask]) -> None:
    first, second = apps
    assert ask_both(first) == [("first", "queued")]
    assert ask_both(second) == [("second", "queued")]
    assert ask_both(first) == [("first", "queued"), ("first", "failed")]
    assert ask_both(second) == [("second", "queued")] * 2


def test_a_message_is_sent_only_to_the_receivers_of_its_application(apps: list[Flask]) -> None:
    first, second = apps
    with first.app_context():
        post(GENERAL, Actor(1), content="hello", client_id=str(uuid.uuid4()))
    assert count_stored(first) == 1
    assert count_stored(second) == 0


def test_a_message_is_rendered_with_the_assistants_of_the_application(apps: list[Flask]) -> None:
    first, second = apps
    answer = TimelineMessage(
        conversation=GENERAL,
        sender_type="assistant",
        sender_name="first",
        answer_state="complete",
        content="hello",
        created_at=datetime.now(UTC),
    )
    with first.app_context():
        with_avatar = present_message(answer).html
    with second.app_context():
        assert present_message(answer).html != with_avatar


def count_stored(app: Flask) -> int:
    """Return how many messages the application has stored, as its metrics count them."""
    (line,) = (
        line
        for line in app.test_client().get("/metrics").text.splitlines()
        if line.startswith("chatapp_messages_stored_total ")
    )
    return round(float(line.split()[1]))
