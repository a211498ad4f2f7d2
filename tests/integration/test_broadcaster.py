"""The broadcaster: which events it emits for a signal."""

import time
import uuid
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from chatapp.accounts.service import create_owner
from chatapp.actors import Actor
from chatapp.conversations.refs import GENERAL, room_ref
from chatapp.conversations.signals import all_sidebars_changed
from chatapp.realtime.application import Realtime, get_realtime
from chatapp.realtime.broadcaster import Broadcaster
from chatapp.realtime.eviction import Evictor
from chatapp.realtime.heartbeats import Heartbeats
from chatapp.timeline import Head, TimelineMessage, post
from chatapp.timeline.epoch import renew_epoch

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

    def emit(event: str, _payload: Any, _namespace: str, *, room: str, **_options: Any) -> None:
        emitted.append((event, room))

    monkeypatch.setattr(realtime.server.manager, "emit", emit)
    return emitted


@pytest.fixture
def broadcaster(app: Flask, realtime: Realtime, message: TimelineMessage) -> Broadcaster:
    """The broadcaster of one of several processes.

    One socket receives the news of the general chat. Another one has joined it, and a room.
    """
    broadcaster = Broadcaster(app, realtime, Evictor(app, realtime), is_single_process=False)
    assert message.seq is not None
    realtime.positions.start_at("general", message.seq - 1)
    sid = realtime.server.manager.connect("engine-id", "/")
    realtime.connections.enter(sid, "news:general")
    joined = realtime.server.manager.connect("another engine-id", "/")
    for channel in ("general", "room_2"):
        realtime.connections.enter(joined, channel)
    return broadcaster


def broadcast(broadcaster: Broadcaster) -> None:
    """Broadcast what the broadcaster was given, which its thread does in a server."""
    assert broadcaster.queue is not None
    broadcaster.queue.broadcast_waiting()


def test_a_pending_message_that_was_stored_is_emitted_as_saved_and_as_news(
    broadcaster: Broadcaster, message: TimelineMessage, emitted: Emitted
) -> None:
    broadcaster.broadcast_saved(message)
    broadcast(broadcaster)
    assert emitted == [("news", "news:general"), ("message_saved", "general")]


def test_news_that_no_socket_receives_are_not_emitted(
    broadcaster: Broadcaster, realtime: Realtime, message: TimelineMessage, emitted: Emitted
) -> None:
    realtime.connections.leave(realtime.connections.list_sids("news:general")[0], "news:general")
    broadcaster.broadcast_posted([message])
    broadcast(broadcaster)
    assert emitted == [("chat_message", "general")]


def test_a_change_of_all_sidebars_is_emitted_once_to_everyone_and_to_pages_that_connect_later(
    app: Flask, realtime: Realtime, broadcaster: Broadcaster, emitted: Emitted
) -> None:
    rendered_at = time.monotonic()
    realtime.signals.send(all_sidebars_changed, None)
    assert emitted == [("sidebar_changed", "everyone")]
    assert realtime.recent_changes.has_changed(["everyone"], rendered_at)


def test_a_saved_message_that_was_broadcast_already_is_no_news(
    broadcaster: Broadcaster, realtime: Realtime, message: TimelineMessage, emitted: Emitted
) -> None:
    assert message.seq is not None
    realtime.positions.advance_to("general", message.seq)
    broadcaster.broadcast_saved(message)
    broadcast(broadcaster)
    # Clients show it as pending until they receive this event.
    assert emitted == [("message_saved", "general")]


def test_new_messages_of_a_conversation_are_emitted_together_and_before_its_news(
    app: Flask, realtime: Realtime, broadcaster: Broadcaster, message: TimelineMessage, emitted: Emitted
) -> None:
    only_process = Broadcaster(app, realtime, Evictor(app, realtime), is_single_process=True)
    elsewhere = replace(message, conversation=room_ref(2))
    only_process.broadcast_posted([message, elsewhere, replace(message, seq=2, version=2)])
    expected = [*[("chat_message", "general")] * 2, *[("news", "news:general")] * 2, ("chat_message", "room_2")]
    assert emitted == expected
    emitted.clear()
    broadcaster.broadcast_posted([message, elsewhere, replace(message, seq=2, version=2)])
    broadcast(broadcaster)
    assert emitted == expected, "one of several processes, too: no event of another one comes between them"


def test_a_failure_in_one_conversation_does_not_keep_others_from_their_messages(
    app: Flask,
    broadcaster: Broadcaster,
    realtime: Realtime,
    message: TimelineMessage,
    emitted: Emitted,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail_in_general(failing: TimelineMessage) -> None:
        if failing.conversation == GENERAL:
            raise RuntimeError("a failure")

    monkeypatch.setattr(realtime.fallback, "apply_event", fail_in_general)
    messages = [message, replace(message, conversation=room_ref(2))]
    broadcaster.broadcast_posted(messages)
    broadcast(broadcaster)
    assert emitted == [("chat_message", "room_2")]
    emitted.clear()
    Broadcaster(app, realtime, Evictor(app, realtime), is_single_process=True).broadcast_posted(messages)
    assert emitted == [("chat_message", "room_2")], "without other processes, too"


def test_once_the_heads_of_a_new_epoch_are_emitted_its_events_are_too(
    app: Flask, realtime: Realtime, broadcaster: Broadcaster, message: TimelineMessage, emitted: Emitted
) -> None:
    heartbeats = Heartbeats(app, realtime, broadcaster.order, broadcaster.queue)
    broadcaster.broadcast_posted([replace(message, seq=seq, version=seq) for seq in (1, 2, 3)])
    broadcast(broadcaster)
    # A database that has only the first of them. The number of the second one is assigned again.
    renew_epoch()
    emitted.clear()
    broadcaster.broadcast_trimmed(Head(GENERAL, last_event=1, floor=0))
    assert emitted == [], "clients would know the epoch before this process broadcasts in it"
    heartbeats.send()
    broadcaster.broadcast_posted([replace(message, seq=2, version=2)])
    broadcast(broadcaster)
    assert emitted == [("heads", "general"), ("chat_message", "general"), ("news", "news:general")]


def test_a_single_process_emits_the_heads_of_a_new_epoch(
    app: Flask, realtime: Realtime, message: TimelineMessage, emitted: Emitted
) -> None:
    heartbeats = Heartbeats(app, realtime, order=None, queue=None)
    realtime.connections.enter(realtime.server.manager.connect("engine-id", "/"), "general")
    for _ in range(2):
        heartbeats.send()
        renew_epoch()
    heartbeats.send()
    assert emitted == [("heads", "general")] * 3
