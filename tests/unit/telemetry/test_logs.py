"""Log lines about what the application stores."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import structlog
from flask import Flask
from structlog.testing import capture_logs

from chatapp.conversations.people import Person
from chatapp.conversations.refs import ConversationRef
from chatapp.signals import EXTENSION as SIGNALS
from chatapp.signals import Signals
from chatapp.telemetry import logs
from chatapp.timeline import TimelineMessage
from chatapp.timeline.signals import message_saved, messages_posted


def test_the_log_line_of_a_stored_message_names_its_conversation_and_user(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    # A logger that structlog has not bound to the configuration of another test's application.
    monkeypatch.setattr(logs, "log", structlog.get_logger())
    app = Flask("chatapp")
    app.extensions[SIGNALS] = signals = Signals()
    logs.init_event_log(app)
    person, room = Person(2, "ana", "Ana"), ConversationRef("room", 26)
    post = TimelineMessage(
        conversation=room, id=142, seq=7, sender=person, content="plan", created_at=datetime.now(UTC)
    )
    answer = replace(post, id=143, seq=8, sender=None, sender_type="assistant")
    with capture_logs() as lines:
        signals.send(messages_posted, [replace(post, request_id="a1")])
        signals.send(message_saved, post)  # It waited in the spool.
        signals.send(messages_posted, [answer])
    line = {"event": "message stored", "log_level": "info", "conversation": "room_26", "message_id": 142, "seq": 7}
    assert lines == [
        line | {"user_id": 2, "request_id": "a1"},
        line | {"user_id": 2},
        line | {"message_id": 143, "seq": 8, "sender_type": "assistant"},
    ]
