"""The assistant that is there without a network or a key: it finds what was said, and knows chatapp."""

import re
import time
from collections.abc import Iterator, Sequence

from chatapp.assistants.message_search import Found
from chatapp.assistants.providers import Question
from chatapp.assistants.providers.help import find_help
from chatapp.conversations.people import Person

PAUSE = 0.02
"""Seconds between two words: people read along."""

LONGEST = 4.0
"""Seconds that an answer takes at the most, however long it is."""

CITED = 5
"""Messages that are quoted at the most."""

QUOTED = 280
"""Characters of a message that are quoted."""

# What carries a question, not its matter.
_STOP_WORDS = frozenset(
    """
    a about all am an and any anybody anyone anything are as ask asked at be been but by can could did do does done
    everybody find for from get gets give got had has have hello help here hey hi him his how i if in into is it its
    know last latest let look me mention mentioned message messages my of on or our out please said saw say says
    search searched see she show so some somebody someone something speak spoke talk talked talking tell tells than
    thank thanks that the their them then there these they thing things think this those to told up us was we were
    what when where which who whom whose why will with wrote write writes written would you your
    """.split()  # noqa: SIM905 - to be read as words
)

_GREETING = re.compile(r"^\W*(hi|hey|hello|good (morning|day|evening)|moin|hallo|bonjour|hola)\W*$", re.IGNORECASE)
_THANKS = re.compile(r"^\W*(thanks?|thank you|thx|danke|merci|gracias)\b[^?]{0,30}$", re.IGNORECASE)
_WORD = re.compile(r"[^\W_](?:[\w.'’-]*[^\W_])?")
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|<>~&])")

INTRODUCTION = (
    "I find what was said here, and know how chatapp works. Ask me for instance:\n\n"
    "- *What did Ana say about the invoice?*\n- *Find the address of the printer*\n- *How do I invite somebody?*\n\n"
    "I read only what you may read, and where others listen only what they may read too. I run on this machine and ask "
    "nobody else."
)


class BuiltInProvider:
    """Looks for what the question is about: in its help, then in the history."""

    def answer(self, question: Question) -> Iterator[str]:
        """Yield the answer word by word."""
        words = re.findall(r"\S+\s*|\s+", compose(question))
        pause = min(PAUSE, LONGEST / max(len(words), 1))
        for word in words:
            yield word
            time.sleep(pause)


def compose(question: Question) -> str:
    """Give the whole answer, as Markdown."""
    asked = question.turns[-1].content
    if _GREETING.match(asked):
        return f"Hello {_escape(question.asker.name)}! {INTRODUCTION}"
    if _THANKS.match(asked):
        return "You are welcome."
    words = list(dict.fromkeys(_WORD.findall(asked)))
    matter = [word for word in words if _says_something(word)]
    person = question.library.find_person(matter) if matter else None
    about = [word for word in matter if person is None or not _names(word, person.username, person.name)]
    if person is None and (helped := find_help(asked)):
        return helped
    if not matter:
        return INTRODUCTION
    looked_for = [_stem(word) for word in about]
    found = question.library.search(looked_for, sender=person.username if person else None, limit=CITED * 3)
    # Whoever asks again does not look for the last time that it was asked.
    found = [each for each in found if not _is_question(each.content, asked)][:CITED]
    if not found:
        return _regret(person, about)
    heading = f"{_escape(person.name)} said:" if person else f"About {_list(about)} I found:"
    return "\n\n".join([heading, *map(_cite, found)])


def _regret(person: Person | None, about: Sequence[str]) -> str:
    if person is None:
        return f"I found nothing about {_list(about)} in what you may read here. Try other words, or ask for *help*."
    what = f" about {_list(about)}" if about else ""
    return f"I found nothing that {_escape(person.name)} has said{what}, in what you may read here."


def _is_question(content: str, asked: str) -> bool:
    """Tell whether a message is the question, perhaps with the assistant's name before it."""
    return content.strip().lower().endswith(asked.strip().lower())


def _says_something(word: str) -> bool:
    # One letter of ours is in nearly every message; one of Chinese is a word.
    return word.lower() not in _STOP_WORDS and (len(word) > 1 or not word.isascii())


def _stem(word: str) -> str:
    """Give what a word has in common with its plural: “invoices” finds “invoice”."""
    return word[:-1] if len(word) > 4 and word.isascii() and re.search("[^s]s$", word, re.IGNORECASE) else word


def _names(word: str, username: str, name: str) -> bool:
    lowered = word.lower().removesuffix("'s").removesuffix("’s")
    return lowered == username or lowered in name.lower().split()


def _list(words: Sequence[str]) -> str:
    return ", ".join(f"“{_escape(word)}”" for word in words)


def _cite(found: Found) -> str:
    text = " ".join(found.content.split())
    shown = text if len(text) <= QUOTED else text[: QUOTED - 1] + "…"
    source = f"{found.place}, {found.created_at:%-d %B %Y, %H:%M} UTC"
    address = f"/conversations/{found.conversation}/messages/{found.seq}"
    return f"> {_escape(shown)}\n>\n> — {_escape(found.sender)}, [{_escape(source)}]({address})"


def _escape(text: str) -> str:
    """Let no quoted text count as Markdown."""
    escaped = _SPECIAL.sub(r"\\\1", text).replace("://", ":\\//")
    return re.sub(r"^(\s*\d+)([.)])", r"\1\\\2", re.sub(r"^(\s*)([-=])", r"\1\\\2", escaped))
