"""Export of conversations as JSON, Markdown and PDF."""

import json
from datetime import UTC, datetime

from chatapp.conversations.people import Person
from chatapp.conversations.refs import ConversationRef
from chatapp.timeline import TimelineMessage
from chatapp.transcripts.export import sender_name, write_json, write_markdown

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


def test_json_has_the_title_and_every_message() -> None:
    exported = json.loads("".join(write_json('A "title"', MESSAGES)))
    assert exported["title"] == 'A "title"'
    assert [message["content"] for message in exported["messages"]] == ["Hello “you”\nagain", "**Hi**"]
    assert exported["messages"][1] == {
        "seq": 1,
        "role": "assistant",
        "name": "Helper",
        "content": "**Hi**",
        "timestamp": "2026-05-01T09:30:00+00:00",
        "state": None,
    }


def test_json_of_an_empty_conversation_is_valid() -> None:
    assert json.loads("".join(write_json("", []))) == {"title": "", "messages": []}


def test_markdown_has_a_heading_for_each_message() -> None:
    assert "".join(write_markdown("Plans", MESSAGES)) == (
        "# Plans\n"
        "\n## Ana Lima, 2026-05-01 09:30 UTC\n\nHello “you”\nagain\n"
        "\n## Helper, 2026-05-01 09:30 UTC\n\n**Hi**\n"
    )


def test_a_sender_without_a_name_is_a_former_member() -> None:
    assert sender_name(make_message("Hi", None)) == "Former member"
