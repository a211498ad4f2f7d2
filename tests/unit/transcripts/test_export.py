"""Export of conversations as JSON, Markdown and PDF."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from chatapp.conversations.people import Person
from chatapp.conversations.refs import ConversationRef
from chatapp.timeline import TimelineMessage
from chatapp.timeline.versions import EarlierVersion
from chatapp.transcripts.export import TranscriptHeader, write_json, write_markdown

ANA = Person(1, "ana", "Ana Lima")


def make_message(
    content: str, sender: Person | None = ANA, *, sender_type: str = "user", sender_name: str | None = None
) -> TimelineMessage:
    return TimelineMessage(
        conversation=ConversationRef("assistant", 1),
        id=1,
        seq=1,
        version=1,
        sender=sender,
        sender_type=sender_type,
        sender_name=sender_name,
        content=content,
        created_at=datetime(2026, 5, 1, 9, 30, tzinfo=UTC),
    )


MESSAGES = [
    make_message("Hello “you”\nagain"),
    make_message("**Hi**", None, sender_type="assistant", sender_name="Helper"),
]


def no_versions(_message: TimelineMessage) -> list[EarlierVersion]:
    return []


def to_markdown(header: TranscriptHeader, messages: list[TimelineMessage], versions: Any = no_versions) -> str:
    originals = {1: MESSAGES[0]}
    replies = [(message, originals.get(message.quoted_seq or 0)) for message in messages]
    return "".join(write_markdown(header, replies, versions))


def test_json_has_the_title_and_every_message() -> None:
    exported = json.loads(
        "".join(
            write_json(TranscriptHeader('A "title"', {"color": "blue"}, "Work", ["q3", "a"]), MESSAGES, no_versions)
        )
    )
    assert exported["title"] == 'A "title"'
    assert (exported["metadata"], exported["category"], exported["tags"]) == ({"color": "blue"}, "Work", ["q3", "a"])
    assert [message["content"] for message in exported["messages"]] == ["Hello “you”\nagain", "**Hi**"]
    assert exported["messages"][1] == {
        "seq": 1,
        "role": "assistant",
        "name": "Helper",
        "username": None,
        "content": "**Hi**",
        "timestamp": "2026-05-01T09:30:00+00:00",
        "state": None,
        "message_type": "text",
        "metadata": None,
        "reply_to": None,
        "edited_at": None,
        "files": [],
        "versions": [],
    }


def test_json_of_an_empty_conversation_is_valid() -> None:
    assert json.loads("".join(write_json(TranscriptHeader(""), [], no_versions))) == {
        "title": "",
        "metadata": None,
        "category": "",
        "tags": [],
        "prompt": "",
        "messages": [],
    }


def test_markdown_has_a_heading_for_each_message() -> None:
    assert to_markdown(TranscriptHeader("Plans"), MESSAGES) == (
        "# Plans\n"
        "\n## Ana Lima (@ana), 2026-05-01 09:30 UTC\n\n> Hello “you”\n> again\n"
        "\n## Helper (assistant), 2026-05-01 09:30 UTC\n\n> **Hi**\n"
    )


def test_markdown_has_the_earlier_versions_of_edited_messages_and_marks_notices() -> None:
    edited = replace(make_message("Hi"), edited_at=datetime(2026, 5, 2, 8, 5, tzinfo=UTC))
    notice = replace(make_message("Closed"), message_type="system")
    versions = [EarlierVersion(1, "Hello\n# you", datetime(2026, 5, 1, 9, 30, tzinfo=UTC))]
    document = to_markdown(TranscriptHeader("Plans"), [edited, notice], lambda _: versions)
    assert document == (
        "# Plans\n"
        "\n## Ana Lima (@ana), 2026-05-01 09:30 UTC (edited 2026-05-02 08:05 UTC)\n\n> Hi\n"
        "\nEarlier version, 2026-05-01 09:30 UTC:\n\n> Hello\n> # you\n"
        "\n## Ana Lima (@ana), 2026-05-01 09:30 UTC (notice)\n\n> Closed\n"
    )


def test_markdown_names_the_original_of_a_reply() -> None:
    reply, late = (replace(make_message(text), seq=5, reply_to=seq) for text, seq in (("Thanks", 1), ("Sure", 9)))
    answer = replace(make_message("Hi", None, sender_type="assistant", sender_name="Helper"), reply_to=1)
    assert to_markdown(TranscriptHeader("Plans"), [reply, late, replace(answer, answer_state="done")]) == (
        "# Plans\n"
        "\n## Ana Lima (@ana), 2026-05-01 09:30 UTC\n\nIn reply to Ana Lima (@ana), 2026-05-01 09:30 UTC\n\n> Thanks\n"
        "\n## Ana Lima (@ana), 2026-05-01 09:30 UTC\n\nIn reply to a deleted message\n\n> Sure\n"
        "\n## Helper (assistant), 2026-05-01 09:30 UTC\n\n> Hi\n"
    )


def test_category_and_tags_are_lines_below_the_title() -> None:
    header = TranscriptHeader("Plans", None, "*Work*", ["q3", "next year"])
    assert to_markdown(header, []) == "# Plans\n\nCategory: \\*Work\\*\n\nTags: q3, next year\n"


BLOCKS = st.sampled_from(
    ["\n", "\r", "\r\n", "\n\n", "\f", "\x85", "\u2028", "    ", "\t", "```", "~~~", "<!--", "<div>", "- ", "1. ", "> ",
     "## Ana Lima (@ana), 2026-05-01 09:30 UTC", "# Plans", "\n===\n", "\n---\n", "[x]: /y", "\\", "|", "&#10;"]
)  # fmt: skip
MARKDOWN = st.lists(BLOCKS | st.text(max_size=5), max_size=12).map("".join)
LINE = MARKDOWN.map(lambda text: " ".join(text.split())).filter(str.isprintable)


@given(st.lists(st.tuples(LINE, MARKDOWN), max_size=4), LINE)
def test_no_message_or_name_can_imitate_a_heading(messages: list[tuple[str, str]], title: str) -> None:
    document = to_markdown(
        TranscriptHeader(title), [make_message(text, Person(2, "mallory", name)) for name, text in messages]
    )
    # As readers see it, and as a program that searches for headings does.
    tokens = [token for token in MarkdownIt().parse(document) if token.level == 0]
    headings = [position for position, token in enumerate(tokens) if token.type == "heading_open"]
    assert len(headings) == 1 + len(messages)
    assert [token.type for token in tokens if token.type.endswith("_open")] == [
        "heading_open", *["heading_open", "blockquote_open"] * len(messages)
    ]  # fmt: skip
    lines = [line for line in document.splitlines() if line.startswith("#")]
    assert len(lines) == 1 + len(messages)
    assert all(line.endswith(" (@mallory), 2026-05-01 09:30 UTC") for line in lines[1:])


@given(st.dictionaries(MARKDOWN, MARKDOWN, max_size=2))
def test_metadata_is_one_line_of_code(metadata: dict[str, str]) -> None:
    document = to_markdown(TranscriptHeader("Plans", metadata), [])
    heading, *_, code = [token for token in MarkdownIt().parse(document) if token.level == 0]
    assert (heading.type, code.type) == ("heading_open", "fence")
    assert json.loads(code.content) == metadata
    assert len(document.splitlines()) == 5


def test_bots_and_assistants_are_marked() -> None:
    bot = make_message("green", None, sender_type="system", sender_name="Ana Lima (@ana)")
    assert "## Ana Lima (@ana) (bot), 2026" in to_markdown(TranscriptHeader("Plans"), [bot])


def test_a_sender_without_a_name_is_a_former_member() -> None:
    assert make_message("Hi", None).shown_name == "Former member"
