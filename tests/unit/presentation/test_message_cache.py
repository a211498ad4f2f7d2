"""Presented messages: encoded once, kept within a bound, and never shown after what they show has changed."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest
from markupsafe import Markup

from chatapp.conversations.people import Person
from chatapp.conversations.refs import ConversationRef
from chatapp.presentation import messages
from chatapp.presentation.message_cache import MessageCache, PresentedMessage
from chatapp.presentation.messages import MessagePresenter
from chatapp.timeline import TimelineMessage
from chatapp.timeline.messages import ReactionGroup

ANA, BOB = Person(1, "ana", "Ana"), Person(2, "bob", "Bob")

MESSAGE = TimelineMessage(
    conversation=ConversationRef("room", 26),
    id=1,
    seq=1,
    version=1,
    sender=ANA,
    content="hello",
    client_id="0e8a4ff2-3c1b-4a57-9d0e-5f2c8f0a1b2c",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    reactions=(ReactionGroup("👍", (BOB,)),),
)


def test_a_message_is_presented_once_however_often_it_is_read(presenter: MessagePresenter) -> None:
    first = presenter.present(MESSAGE)
    hits, misses = presenter.cache.hits, presenter.cache.misses
    assert presenter.present(replace(MESSAGE)) is first
    assert presenter.render(MESSAGE) is first.html
    assert (presenter.cache.hits, presenter.cache.misses) == (hits + 2, misses)


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        pytest.param(lambda message: replace(message, sender=replace(ANA, name="Renamed")), "Renamed", id="sender"),
        pytest.param(
            lambda message: replace(message, reactions=(ReactionGroup("👍", (replace(BOB, name="Renamed"),)),)),
            "Renamed",
            id="person who reacted",
        ),
        pytest.param(lambda message: replace(message, content="other"), "other", id="restored database"),
    ],
)
def test_a_change_without_a_version_is_shown_at_once(
    presenter: MessagePresenter, change: Callable[[TimelineMessage], TimelineMessage], shown: str
) -> None:
    before = presenter.present(MESSAGE)
    after = presenter.present(change(MESSAGE))
    assert shown in after.html
    assert shown.encode() in after.json
    assert shown not in before.html


def test_events_carry_the_message_with_its_html_and_acknowledgements_without_it(presenter: MessagePresenter) -> None:
    presented = presenter.present(MESSAGE)
    fields = json.loads(orjson.dumps(presented.without_html))
    assert json.loads(orjson.dumps(presented.with_html)) == {**fields, "html": presented.html}
    assert (fields["content"], fields["pending"]) == ("hello", False)


def test_the_least_recently_used_messages_are_evicted_when_the_cache_is_full() -> None:
    cache = MessageCache(max_bytes=30_000)
    numbered = [replace(MESSAGE, version=number) for number in range(50)]
    for message in numbered:
        cache.add(message, PresentedMessage(b"{}", Markup("x") * 1_000))
        assert cache.get(numbered[0]) is not None
        assert 0 < cache.bytes <= 30_000
    assert cache.get(numbered[1]) is None
    assert cache.get(numbered[-1]) is not None


def test_a_message_larger_than_the_cache_is_not_kept() -> None:
    cache = MessageCache(max_bytes=30_000)
    cache.add(MESSAGE, PresentedMessage(b"{}", Markup("x") * 30_000))
    assert cache.get(MESSAGE) is None
    assert cache.bytes == 0


def test_an_answer_that_cannot_be_rendered_now_is_rendered_later(
    presenter: MessagePresenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = replace(MESSAGE, sender=None, sender_type="assistant", answer_state="complete", content="**bold**")
    with monkeypatch.context() as patch:
        patch.setattr(messages, "try_render_blocks", lambda *_arguments, **_options: None)
        assert "**bold**" in presenter.present(answer).html
        assert not presenter.present(answer).is_final
    assert "<strong>bold</strong>" in presenter.present(answer).html
