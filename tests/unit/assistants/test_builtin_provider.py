"""The answers of the built-in assistant, composed from what its search finds."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from chatapp.assistants.message_search import FoundMessage, MessageSearch
from chatapp.assistants.providers import Question, Turn, builtin
from chatapp.assistants.providers.builtin import BuiltInProvider, compose_answer
from chatapp.conversations.people import Person
from chatapp.conversations.refs import GENERAL
from chatapp.presentation.quotes import MAX_QUOTE_CHARS
from chatapp.search.query import Filter, Phrase, Query

ANA = Person(1, "ana", "Ana Lima")


class FakeSearch(MessageSearch):
    """Finds the given messages and persons, and records the queries."""

    def __init__(self, *contents: str, person: Person | None = None, is_from_here: bool = True) -> None:
        self.contents = contents
        self.person = person
        self.is_from_here = is_from_here
        self.searches: list[tuple[Sequence[str], Query]] = []

    def find_person(self, words: Sequence[str]) -> Person | None:
        assert words
        return self.person

    def find_messages(self, words: Sequence[str], query: Query, *, limit: int = 5) -> Sequence[FoundMessage]:
        self.searches.append((words, query))
        written_at = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
        return [
            FoundMessage(GENERAL, "General", 7, "Bob", content, written_at, self.is_from_here)
            for content in self.contents
        ][:limit]


def compose(question: str, search: FakeSearch | None = None) -> str:
    return compose_answer(Question([Turn("user", question)], ANA, search or FakeSearch()))


@pytest.mark.parametrize(
    ("question", "part"),
    [
        ("hello", "Hello Ana Lima! I search the messages here"),
        ("Good morning!", "Hello Ana Lima! I search the messages here"),
        ("thanks!", "You’re welcome."),
        ("what can you do?", "I search the messages here"),
        ("How do I invite somebody?", "creates an invitation link"),
        ("who mentioned unicorns?", "I found nothing about “unicorns” in the messages you can read."),
    ],
)
def test_it_answers_without_messages(question: str, part: str) -> None:
    assert part in compose(question)


def test_it_quotes_messages_with_a_link() -> None:
    search = FakeSearch("The *printer is broken")
    assert compose("Find the printers", search) == (
        "Messages about “printers”:\n\n"
        "> The \\*printer is broken\n>\n"
        "> — Bob, [General, 1 May 2026, 09:30 UTC](/conversations/general/messages/7)"
    )
    assert search.searches == [(["printer"], Query())]


def test_it_only_refers_to_messages_of_another_conversation() -> None:
    assert compose("Find the printers", FakeSearch("The printer is broken", is_from_here=False)) == (
        "Messages about “printers”:\n\n> [Quoted message](/conversations/general/messages/7)"
    )


def test_it_searches_the_messages_of_a_named_person() -> None:
    search = FakeSearch("Paid", person=Person(2, "bob", "Bob Ray"))
    assert compose("What did bob’s team say about the invoice?", search).startswith("Bob Ray wrote:\n\n")
    assert search.searches == [(["team", "invoice"], Query(filters=[Filter("from", "bob")]))]


def test_it_reports_that_a_person_wrote_nothing_about_it() -> None:
    search = FakeSearch(person=Person(2, "bob", "Bob"))
    assert compose("did Bob mention unicorns?", search) == (
        "I found nothing by Bob about “unicorns” in the messages you can read."
    )


def test_filters_and_times_in_a_question_limit_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtin, "now", lambda: datetime(2026, 11, 29, 12, tzinfo=UTC))
    search = FakeSearch("Paid", is_from_here=False)
    answer = compose("What was said about invoices in #Design last week? has:link -draft", search)
    assert answer.startswith("Messages about “invoices” from 16 November 2026 to 22 November 2026:\n\n")
    [(words, query)] = search.searches
    assert words == ["invoice"]
    assert query.filters == [Filter("in", "Design"), Filter("has", "link")]
    assert query.excluded == [(Phrase(("draft",)),)]
    assert (query.begins_at, query.ends_at) == (
        datetime(2026, 11, 16, tzinfo=UTC),
        datetime(2026, 11, 23, tzinfo=UTC),
    )
    assert compose("What happened yesterday?", search).startswith("Messages found on 28 November 2026:\n\n")
    assert compose("is:saved", FakeSearch()) == (
        "I found nothing in the messages you can read. Try other words or *help*."
    )


def test_the_question_itself_is_not_quoted() -> None:
    answer = compose("find zeppelin", FakeSearch("@helper Find zeppelin", "The zeppelin lands"))
    assert "The zeppelin lands" in answer
    assert answer.count("> —") == 1


def test_only_a_few_messages_are_quoted_and_long_ones_are_cut() -> None:
    answer = compose("find zeppelin", FakeSearch(*(f"zeppelin {number} " + "x" * 500 for number in range(9))))
    assert answer.count("> —") == builtin.MAX_QUOTED_MESSAGES
    assert all(len(line) <= MAX_QUOTE_CHARS + 2 for line in answer.splitlines() if line.startswith("> zeppelin"))


@pytest.mark.parametrize(
    "text", ["# Heading", "- item", "1. item", "> quote", "`code`", "[a](b)", "https://evil.example"]
)
def test_quoted_text_is_no_markdown(text: str) -> None:
    assert f"> {text}\n" not in compose("find zeppelin", FakeSearch(text))


def test_the_answer_is_yielded_word_by_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtin, "WORD_PAUSE_SECONDS", 0)
    pieces = list(BuiltInProvider().answer(Question([Turn("user", "thanks")], ANA, FakeSearch())))
    assert pieces == ["You’re ", "welcome."]
