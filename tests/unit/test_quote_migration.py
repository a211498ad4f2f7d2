"""Migration 0016: quotes of other conversations in stored answers become references."""

import importlib.util
from types import ModuleType

import pytest

from tests.harness import ROOT


@pytest.fixture(scope="module")
def migration() -> ModuleType:
    spec = importlib.util.spec_from_file_location("migration", ROOT / "migrations/versions/0016_quote_references.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HEADING = "Messages about “budget”:"


def quote(text: str, path: str) -> str:
    return f"> {text}\n>\n> — Ana, [General, 1 May 2026, 09:30 UTC]({path})"


def test_only_quotes_of_other_conversations_are_replaced(migration: ModuleType) -> None:
    own = quote("said here", "/conversations/assistant_9/messages/2")
    answer = "\n\n".join(
        [
            HEADING,
            quote("said there", "/conversations/room_5/messages/3"),
            own,
            quote("x", "/conversations/general/messages/1"),
        ]
    )
    assert migration.replace_quotes(answer, "assistant_9").split("\n\n") == [
        HEADING,
        "> [Quoted message](/conversations/room_5/messages/3)",
        own,
        "> [Quoted message](/conversations/general/messages/1)",
    ]


@pytest.mark.parametrize("cut", range(2, 40))
def test_a_quote_whose_source_is_cut_off_is_removed(migration: ModuleType, cut: int) -> None:
    complete = quote("said", "/conversations/room_5/messages/3")
    answer = f"Ana Lima wrote:\n\n{complete}\n\n{quote('secret', '/conversations/room_5/messages/4')[:-cut]}"
    replaced = migration.replace_quotes(answer, "assistant_9")
    assert replaced == "Ana Lima wrote:\n\n> [Quoted message](/conversations/room_5/messages/3)\n\n> …"


@pytest.mark.parametrize("content", ["> a quote\n>\n> of a model", "Here is text.\n\n> quoted", HEADING, ""])
def test_other_answers_stay_as_they_are(migration: ModuleType, content: str) -> None:
    assert migration.replace_quotes(content, "assistant_9") == content
    once = migration.replace_quotes(f"{HEADING}\n\n{quote('x', '/conversations/room_5/messages/3')}", "general")
    assert migration.replace_quotes(once, "general") == once
