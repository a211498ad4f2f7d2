"""What the built-in assistant knows of chatapp: `help.md` beside this file."""

import re
from dataclasses import dataclass
from pathlib import Path

_SECTION = re.compile(r"^## (?P<title>.+)\n\n {4}(?P<about>.+)\n\n(?P<text>[^#]+)", re.MULTILINE)

_ASKS = re.compile(r"\b(how|what|where|can|help|why|who|is there|explain|do i)\b")

# "Who said …", "what did … say" asks for the history, whatever it is about.
_ASKS_FOR_HISTORY = re.compile(r"\b(said|says?|mention(ed|s)|wrote|writes?|told|talk\w*|discuss\w*|find|search)\b")


@dataclass(frozen=True, slots=True)
class Topic:
    """A piece of help, and what questions are about that it answers."""

    title: str
    about: re.Pattern[str]
    text: str


TOPICS = tuple(
    Topic(each["title"], re.compile(rf"(?<!\w)(?:{each['about']})(?!\w)"), " ".join(each["text"].split()))
    for each in _SECTION.finditer(Path(__file__).with_name("help.md").read_text(encoding="utf-8"))
)


def find_help(asked: str) -> str | None:
    """Give the help that a question about chatapp asks for, if it is one."""
    lowered = asked.lower()
    if re.fullmatch(r"\W*help\W*", lowered):
        titles = "\n".join(f"- {topic.title}" for topic in TOPICS)
        return f"I know about these. Ask me, for instance “How do I invite somebody?”\n\n{titles}"
    if _ASKS_FOR_HISTORY.search(lowered) or not _ASKS.search(lowered):
        return None
    for topic in TOPICS:
        if topic.about.search(lowered):
            return f"**{topic.title}**\n\n{topic.text}"
    return None
