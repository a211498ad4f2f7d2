"""Messages whose Markdown is rendered after their broadcast."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chatapp import create_app
from chatapp.config import Settings
from chatapp.conversations.people import Person
from chatapp.conversations.refs import ConversationRef
from chatapp.markdown import cache
from chatapp.presentation.messages import MessagePresenter, get_message_presenter
from chatapp.realtime.formatting import MAX_WAITING, LateFormatting
from chatapp.timeline import TimelineMessage

MESSAGE = TimelineMessage(
    conversation=ConversationRef("room", 26),
    id=1,
    seq=5,
    version=7,
    sender=Person(3, "ana", "Ana"),
    content="**bold** " + "word " * 300,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


class Server:
    """Keeps what is emitted."""

    def __init__(self) -> None:
        self.emitted: list[tuple[str, dict[str, Any], str]] = []

    def emit(self, event: str, data: dict[str, Any], to: str) -> None:
        """Keep an event."""
        self.emitted.append((event, data, to))


@pytest.fixture
def presenter(tmp_path: Path) -> MessagePresenter:
    return get_message_presenter(create_app(Settings(data_dir=tmp_path)))


def test_a_long_message_is_broadcast_as_written_and_its_formatted_html_follows(
    presenter: MessagePresenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server()
    formatting = LateFormatting(server, presenter)
    first = presenter.present(MESSAGE)
    assert not first.is_final
    assert "**bold**" in first.html
    formatting.add(MESSAGE)
    with monkeypatch.context() as patch:
        # The unit test has no green threads.
        patch.setattr(cache, "is_in_slices", lambda: True)
        formatting.format_next()
    ((event, data, channel),) = server.emitted
    assert (event, channel) == ("message_formatted", "room_26")
    assert {key: data[key] for key in ("conversation", "seq", "version")} == {
        "conversation": "room_26",
        "seq": 5,
        "version": 7,
    }
    assert "<strong>bold</strong>" in data["html"]
    assert presenter.present(MESSAGE).is_final
    cache._pool.close()


def test_what_cannot_be_rendered_is_dropped_and_the_queue_is_bounded(presenter: MessagePresenter) -> None:
    server = Server()
    formatting = LateFormatting(server, presenter)
    formatting.add(replace(MESSAGE, seq=None, is_pending=True, content="**x** " * 600))
    for seq in range(1, MAX_WAITING + 2):
        formatting.add(replace(MESSAGE, seq=seq, content=f"**{seq}** " * 600))
    assert len(formatting) == MAX_WAITING
    formatting.format_next()
    assert server.emitted == []
