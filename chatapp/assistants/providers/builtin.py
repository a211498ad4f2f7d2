"""The built-in assistant: it searches messages and answers questions about chatapp, without a network or a key."""

import re
import time
from collections.abc import Iterator, Sequence

from chatapp.assistants.message_search import FoundMessage
from chatapp.assistants.providers import Question
from chatapp.assistants.providers.help import find_help
from chatapp.assistants.providers.keywords import find_keywords, stem
from chatapp.conversations.people import Person
from chatapp.presentation.quotes import shorten_quote
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
    "- *What did Ana say about the invoice?*\n- *Find the address of the printer*\n- *How do I invite someone?*\n\n"
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
    keywords = find_keywords(text)
    person = question.search.find_person(keywords) if keywords else None
    subject = [word for word in keywords if person is None or not _is_name_of(word, person)]
    if person is None and (help_text := find_help(text)):
        return help_text
    if not keywords:
        return INTRODUCTION
    found = question.search.find_messages(
        [stem(word) for word in subject], sender=person.username if person else None, limit=MAX_QUOTED_MESSAGES * 3
    )
    # The question itself may have been asked before.
    quoted = [message for message in found if not _is_question(message.content, text)][:MAX_QUOTED_MESSAGES]
    if not quoted:
        return _compose_no_result(person, subject)
    heading = f"{_escape(person.name)} wrote:" if person else f"Messages about {_format_words(subject)}:"
    return "\n\n".join([heading, *map(_quote, quoted)])


def _compose_no_result(person: Person | None, subject: Sequence[str]) -> str:
    if person is None:
        return (
            f"I found nothing about {_format_words(subject)} in the messages you can read. Try other words or *help*."
        )
    about = f" about {_format_words(subject)}" if subject else ""
    return f"I found nothing by {_escape(person.name)}{about} in the messages you can read."


def _is_question(content: str, question: str) -> bool:
    """Return whether a message is the question, possibly after a mention of the assistant."""
    return content.strip().lower().endswith(question.strip().lower())


def _is_name_of(word: str, person: Person) -> bool:
    lowered = word.lower().removesuffix("'s").removesuffix("’s")
    return lowered == person.username or lowered in person.name.lower().split()


def _format_words(words: Sequence[str]) -> str:
    return ", ".join(f"“{_escape(word)}”" for word in words)


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
