"""Typing notifications: one a second for each user and conversation."""

from datetime import UTC, datetime

import pytest

from chatapp.conversations.people import Person
from chatapp.conversations.refs import GENERAL, room_ref
from chatapp.realtime.typing import TypingThrottle
from chatapp.signals import Signals
from chatapp.timeline import TimelineMessage


def test_a_user_is_reported_once_a_second_and_again_after_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("chatapp.realtime.typing.time.monotonic", lambda: now[0])
    throttle = TypingThrottle(Signals())
    assert throttle.is_due(1, GENERAL)
    assert not throttle.is_due(1, GENERAL)
    assert throttle.is_due(1, room_ref(1))
    assert throttle.is_due(2, GENERAL)
    now[0] += 1
    assert throttle.is_due(1, GENERAL)
    assert not throttle.is_due(1, GENERAL)
    message = TimelineMessage(
        conversation=GENERAL, sender=Person(1, "ana", "Ana"), content="", created_at=datetime.now(UTC)
    )
    throttle.reset([message])
    assert throttle.is_due(1, GENERAL)
