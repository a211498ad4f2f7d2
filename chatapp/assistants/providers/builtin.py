"""The built-in assistant: it searches messages and answers questions about chatapp, without a network or a key."""

import re
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta

from chatapp.assistants.message_search import FoundMessage
from chatapp.assistants.providers import Question
from chatapp.assistants.providers.help import find_help
from chatapp.assistants.providers.keywords import add_filters, find_keywords, stem
from chatapp.conversations.people import Person
from chatapp.models import now
from chatapp.presentation.dates import format_date
from chatapp.presentation.quotes import shorten_quote
from chatapp.search.query import Filter, Query, split_filters
from chatapp.timeline.references import make_reference, message_path

WORD_PAUSE_SECONDS = 0.02
"""Pause between two words of an answer, at the pace of a reader."""

MAX_ANSWER_SECONDS = 4.0
"""The pauses of a long answer are shorter: together they take no longer than this."""

MAX_QUOTED_MESSAGES = 5

_GREETING = re.compile(r"^\W*(hi|hey|hello|good (morning|day|evening)|moin|hallo|bonjour|hola)\W*$", re.IGNORECASE)
_THANKS = re.compile(r"^\W*(thanks?|thank you|thx|danke|merci|gracias)\b[^?]{0,30}$", re.IGNORECASE)
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|<>~&])")

INTRODUCTION = (
    "I search the messages here and answer questions about chatapp. For example, ask me:\n\n"
    "- *What did Ana say about the invoice last week?*\n- *Find the address of the printer*\n"
    "- *How do I invite someone?*\n\n"
    "I read only what you can read, and in a conversation with others only what they can read too: with a public link, "
    "only that conversation. I run on this server and send nothing to other services."
)


class BuiltInProvider:
    """Answers from the help texts, otherwise from the messages that match the question."""

    def answer(self, question: Question) -> Iterator[str]:
        """Yield the answer word by word."""
        words = re.findall(r"\S+\s*|\s+", compose_answer(question))
        pause = min(WORD_PAUSE_SECONDS, MAX_ANSWER_SECONDS / max(len(words), 1))
        for word in words:
            yield word
            time.sleep(pause)


def compose_answer(question: Question) -> str:
    """Return the whole answer as Markdown."""
    text = question.turns[-1].content
    if _GREETING.match(text):
        return f"Hello {_escape(question.asker.name)}! {INTRODUCTION}"
    if _THANKS.match(text):
        return "You’re welcome."
    query, sentence = split_filters(add_filters(text), today=now().date())
    keywords = find_keywords(sentence)
    person = question.search.find_person(keywords) if keywords else None
    subject = [word for word in keywords if person is None or not _is_name_of(word, person)]
    if person is None and (help_text := find_help(text)):
        return help_text
    if not keywords and query.is_empty():
        return INTRODUCTION
    if person:
        query.filters.append(Filter("from", person.username))
    found = question.search.find_messages([stem(word) for word in subject], query, limit=MAX_QUOTED_MESSAGES * 3)
    # The question itself may have been asked before.
    quoted = [message for message in found if not _is_question(message.content, text)][:MAX_QUOTED_MESSAGES]
    about, filters = _format_words(subject), _format_filters(query)
    if not quoted:
        by = f" by {_escape(person.name)}" if person else ""
        tip = "" if person else " Try other words or *help*."
        return f"I found nothing{by}{about}{filters} in the messages you can read.{tip}"
    heading = f"{_escape(person.name)} wrote{filters}:" if person else f"Messages{about or ' found'}{filters}:"
    return "\n\n".join([heading, *map(_quote, quoted)])


def _is_question(content: str, question: str) -> bool:
    """Return whether a message is the question, possibly after a mention of the assistant."""
    return content.strip().lower().endswith(question.strip().lower())


def _is_name_of(word: str, person: Person) -> bool:
    lowered = word.lower().removesuffix("'s").removesuffix("’s")
    return lowered == person.username or lowered in person.name.lower().split()


def _format_words(words: Sequence[str]) -> str:
    return " about " + ", ".join(f"“{_escape(word)}”" for word in words) if words else ""


def _format_filters(query: Query) -> str:
    """Return the times that a query is limited to, as a sentence names them."""
    if query.begins_at is None and query.ends_at is None:
        return ""
    last = None if query.ends_at is None else query.ends_at - timedelta(days=1)
    first = query.begins_at
    if first is None:
        return f" until {format_date(last)}" if last else ""
    if last is None or first.date() == last.date():
        return f" {'on' if last else 'since'} {format_date(first)}"
    return f" from {format_date(first)} to {format_date(last)}"


def _quote(message: FoundMessage) -> str:
    if not message.is_from_here:
        return make_reference(message.conversation, message.seq)
    source = f"{message.conversation_title}, {message.created_at:%-d %B %Y, %H:%M} UTC"
    path = message_path(message.conversation.wire_name, message.seq)
    return f"> {_escape(shorten_quote(message.content))}\n>\n> — {_escape(message.sender)}, [{_escape(source)}]({path})"


def _escape(text: str) -> str:
    """Escape all Markdown in a text, and its URLs."""
    escaped = _SPECIAL.sub(r"\\\1", text).replace("://", ":\\//")
    return re.sub(r"^(\s*\d+)([.)])", r"\1\\\2", re.sub(r"^(\s*)([-=])", r"\1\\\2", escaped))
