"""The broadcaster of an installation of several processes: which events it emits for a signal."""

import uuid
from typing import Any

import pytest
from flask import Flask

from chatapp.accounts.service import create_owner
from chatapp.actors import Actor
from chatapp.conversations.refs import GENERAL
from chatapp.realtime.application import Realtime, get_realtime
from chatapp.realtime.broadcaster import Broadcaster
from chatapp.realtime.eviction import Evictor
from chatapp.timeline import TimelineMessage, post

Emitted = list[tuple[str, str]]
"""Names of events, each with the channel that it was emitted to."""


@pytest.fixture
def database_url() -> str:
    return ""  # SQLite only.


@pytest.fixture
def message(app: Flask) -> TimelineMessage:
    """A stored message, which was pending."""
    ana = Actor(create_owner("ana", "Ana", "a good password"))
    return post(GENERAL, ana, content="Good morning", client_id=str(uuid.uuid4()))


@pytest.fixture
def realtime(app: Flask) -> Realtime:
    return get_realtime(app)


@pytest.fixture
def emitted(realtime: Realtime, monkeypatch: pytest.MonkeyPatch) -> Emitted:
    emitted: Emitted = []

    def emit(event: str, _payload: Any, to: str) -> None:
        emitted.append((event, to))

    monkeypatch.setattr(realtime.server, "emit", emit)
    return emitted


@pytest.fixture
def broadcaster(app: Flask, realtime: Realtime, message: TimelineMessage) -> Broadcaster:
    broadcaster = Broadcaster(app, realtime, Evictor(app, realtime), is_single_process=False)
    assert message.seq is not None
    realtime.positions.start_at("general", message.seq - 1)
    sid = realtime.server.manager.connect("engine-id", "/")
    realtime.connections.enter(sid, "news:general")
    return broadcaster


def test_a_pending_message_that_was_stored_is_emitted_as_saved_and_as_news(
    broadcaster: Broadcaster, message: TimelineMessage, emitted: Emitted
) -> None:
    broadcaster.broadcast_saved(message)
    assert emitted == [("news", "news:general"), ("message_saved", "general")]


def test_news_that_no_socket_receives_are_not_emitted(
    broadcaster: Broadcaster, realtime: Realtime, message: TimelineMessage, emitted: Emitted
) -> None:
    realtime.connections.leave(realtime.connections.list_sids("news:general")[0], "news:general")
    broadcaster.broadcast_posted(message)
    assert emitted == [("chat_message", "general")]


def test_a_saved_message_that_was_broadcast_already_is_no_news(
    broadcaster: Broadcaster, realtime: Realtime, message: TimelineMessage, emitted: Emitted
) -> None:
    assert message.seq is not None
    realtime.positions.advance_to("general", message.seq)
    broadcaster.broadcast_saved(message)
    # Clients show it as pending until they receive this event.
    assert emitted == [("message_saved", "general")]
