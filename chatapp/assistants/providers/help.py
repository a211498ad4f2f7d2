"""The help texts of the built-in assistant, read from `help.md` beside this file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_SECTION = re.compile(r"^## (?P<title>.+)\n\n {4}(?P<pattern>.+)\n\n(?P<text>[^#]+)", re.MULTILINE)

_ASKS_FOR_HELP = re.compile(r"\b(how|what|where|can|help|why|who|is there|explain|do i)\b")

# “Who said …” and “What did … say” ask for messages, whatever they are about.
_ASKS_FOR_MESSAGES = re.compile(r"\b(said|says?|mention(ed|s)|wrote|writes?|told|talk\w*|discuss\w*|find|search)\b")


@dataclass(frozen=True, slots=True)
class HelpTopic:
    """A help text, and the pattern of the questions that it answers."""

    title: str
    pattern: re.Pattern[str]
    text: str


@cache
def list_topics() -> Sequence[HelpTopic]:
    """Return all help texts. They are read when needed: compiling patterns would slow down the start."""
    return [
        HelpTopic(
            section["title"],
            re.compile(rf"(?<!\w)(?:{section['pattern']})(?!\w)"),
            " ".join(section["text"].split()),
        )
        for section in _SECTION.finditer(Path(__file__).with_name("help.md").read_text(encoding="utf-8"))
    ]


def find_help(question: str) -> str | None:
    """Return the help text that answers the question, as Markdown. None if it is no question about chatapp."""
    lowered = question.lower()
    if re.fullmatch(r"\W*help\W*", lowered):
        titles = "\n".join(f"- {topic.title}" for topic in list_topics())
        return f"I can help with these topics. Ask, for example, “How do I invite someone?”\n\n{titles}"
    if _ASKS_FOR_MESSAGES.search(lowered) or not _ASKS_FOR_HELP.search(lowered):
        return None
    for topic in list_topics():
        if topic.pattern.search(lowered):
            return f"**{topic.title}**\n\n{topic.text}"
    return None
