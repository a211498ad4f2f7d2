"""Quotes of the messages that others reply to."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser

from chatapp import create_app
from chatapp.config import Settings
from chatapp.conversations.people import Person
from chatapp.conversations.refs import GENERAL
from chatapp.presentation.message_list import Reader, render_messages
from chatapp.presentation.messages import present_message
from chatapp.presentation.reader_clock import UTC_CLOCK
from chatapp.timeline import TimelineMessage

NOW = datetime(2026, 3, 5, 9, tzinfo=UTC)

ANA = Person(7, "ana", "Ana <b>")

READER = Reader(ANA.id, UTC_CLOCK, date(2026, 3, 5))


@pytest.fixture(scope="module", autouse=True)
def app_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with create_app(Settings(data_dir=tmp_path_factory.mktemp("data"))).app_context():
        yield


def make_message(seq: int, content: str, **more: Any) -> TimelineMessage:
    fields: dict[str, Any] = {"id": seq, "seq": seq, "version": seq, "sender": ANA, "created_at": NOW} | more
    return TimelineMessage(conversation=GENERAL, content=content, **fields)


def read_quotes(*messages: TimelineMessage, quoted: tuple[TimelineMessage, ...] = ()) -> list[str]:
    html = LexborHTMLParser(render_messages(messages, READER, has_older=False, quoted=quoted))
    return [" ".join(quote.text().split()) for quote in html.css(".reply-quote")]


REPLY = make_message(3, "a reply", reply_to=2)


def test_a_page_quotes_the_original_as_it_is_now() -> None:
    original = make_message(2, "**one**\ntwo & <b>")
    expected = "In reply to Ana <b> one two & <b>"
    assert read_quotes(original, REPLY) == [expected]
    assert read_quotes(REPLY, quoted=(original,)) == [expected]
    edited = make_message(2, "changed", version=4, edited_at=NOW)
    assert read_quotes(edited, REPLY) == ["In reply to Ana <b> changed"]
    deleted = make_message(2, "", version=5, deleted_at=NOW)
    assert read_quotes(deleted, REPLY) == ["Deleted message"]


def test_the_cached_message_contains_nothing_of_the_original() -> None:
    html = render_messages([make_message(2, "the original"), REPLY], READER, has_older=False)
    assert html.count("the original") == 2
    assert "the original" not in present_message(REPLY).html


def test_a_quote_that_is_not_known_is_a_link_to_the_message() -> None:
    assert read_quotes(REPLY) == ["Quoted message"]
    assert 'href="/conversations/general/messages/2"' in present_message(REPLY).html


def test_the_text_of_a_message_cannot_be_taken_for_a_quote() -> None:
    text = 'data-quote="2">Quoted message</a>'
    html = render_messages([make_message(2, "original"), make_message(3, text, reply_to=2)], READER, has_older=False)
    assert LexborHTMLParser(html).css(".message-body")[1].text() == text


def test_answers_and_deleted_replies_quote_nothing() -> None:
    original = make_message(2, "a question")
    answer = make_message(3, "yes", reply_to=2, sender=None, sender_type="assistant", answer_state="complete")
    deleted = make_message(4, "", reply_to=2, deleted_at=NOW)
    assert read_quotes(original, answer, deleted) == []
