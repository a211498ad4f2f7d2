"""The help texts of the built-in assistant."""

import re
from pathlib import Path

import pytest

from chatapp.assistants.providers.help import find_help, list_topics
from chatapp.config import ROOT

NO_LABELS = {"+", "@", "…"}


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("How do I invite somebody?", "Inviting people"),
        ("how can I make a private room?", "Rooms"),
        ("Where are my unread messages?", "Unread messages"),
        ("what happens when the database is away?", "When the server or the network is down"),
        ("How do I stop an assistant?", "Assistants"),
        ("can I change my password?", "Your account"),
    ],
)
def test_a_question_about_chatapp_is_answered(question: str, title: str) -> None:
    assert (find_help(question) or "").startswith(f"**{title}**\n\n")


@pytest.mark.parametrize("question", ["help", "Help!", " help? "])
def test_help_lists_all_topics(question: str) -> None:
    answer = find_help(question)
    assert answer is not None
    assert all(f"\n- {topic.title}" in answer for topic in list_topics())


@pytest.mark.parametrize(
    "question", ["what did Ana say about rooms?", "find the room plan", "the printer is broken", ""]
)
def test_other_questions_get_no_help(question: str) -> None:
    assert find_help(question) is None


def test_the_labels_in_the_help_exist_on_pages() -> None:
    pages = "\n".join(path.read_text() for path in Path(ROOT, "templates").rglob("*.html"))
    labels = {
        label
        for topic in list_topics()
        for bold in re.findall(r"\*\*(.+?)\*\*", topic.text)
        for label in bold.split(" → ")
        if label not in NO_LABELS
    }
    assert {label for label in labels if label not in pages} == set()
