"""The context that a model receives with a question."""

from dataclasses import replace

import pytest

from chatapp.assistants.context import fit_turns, make_turn, remove_mention
from chatapp.assistants.providers import Turn
from chatapp.assistants.usage import estimate_tokens
from chatapp.config.assistants import Assistant
from chatapp.models import Message
from tests.harness.files import PHOTO, TEXT_FILE


def assistant(context_tokens: int = 4_000) -> Assistant:
    return Assistant(name="helper", prompt="Be brief.", context_tokens=context_tokens)


@pytest.mark.parametrize(("text", "tokens"), [("", 4), ("abc", 4), ("abcd", 5), ("x" * 400, 104)])
def test_tokens_are_estimated_from_the_length(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


def test_the_context_is_the_prompt_the_turns_in_order_and_the_question() -> None:
    newest_first = [Turn("assistant", "Good morning."), Turn("user", "Hello")]
    assert fit_turns(newest_first, Turn("user", "How are you?"), assistant()) == [
        Turn("system", "Be brief."),
        Turn("user", "Hello"),
        Turn("assistant", "Good morning."),
        Turn("user", "How are you?"),
    ]


def test_the_prompt_of_a_session_follows_that_of_the_assistant_and_takes_room() -> None:
    turns = fit_turns([Turn("user", "Hello")], Turn("user", "How?"), assistant(context_tokens=100), "x" * 360)
    assert turns == [Turn("system", "Be brief.\n\n" + "x" * 360), Turn("user", "How?")]


def test_the_oldest_turns_that_do_not_fit_are_left_out() -> None:
    newest_first = [Turn("user", f"{number} " + "x" * 118) for number in (3, 2, 1)]
    turns = fit_turns(newest_first, Turn("user", "How?"), assistant(context_tokens=100))
    assert [turn.content[:1] for turn in turns] == ["B", "2", "3", "H"]


def test_a_turn_that_does_not_fit_hides_older_ones_that_would() -> None:
    newest_first = [Turn("user", "x" * 1_000), Turn("user", "short")]
    turns = fit_turns(newest_first, Turn("user", "How?"), assistant(context_tokens=100))
    assert [turn.role for turn in turns] == ["system", "user"]


def test_a_question_that_is_too_long_by_itself_is_kept() -> None:
    question = Turn("user", "x" * 10_000)
    assert fit_turns([Turn("user", "Hello")], question, assistant(context_tokens=100))[1:] == [question]


@pytest.mark.parametrize(
    ("message", "sender", "is_private", "turn"),
    [
        (Message(sender_type="user", content="Hi"), "Ana", True, Turn("user", "Hi")),
        (Message(sender_type="user", content="Hi"), "Ana", False, Turn("user", "Ana: Hi")),
        (Message(sender_type="system", sender_name="CI", content="Done"), None, False, Turn("user", "CI: Done")),
        (Message(sender_type="user", content="Hi"), None, False, Turn("user", "Hi")),
        (Message(sender_type="assistant", sender_name="Bot", content="Yes"), None, False, Turn("assistant", "Yes")),
    ],
)
def test_names_are_included_where_several_users_write(
    message: Message, sender: str | None, is_private: bool, turn: Turn
) -> None:
    assert make_turn(message, sender, is_private=is_private) == turn


@pytest.mark.parametrize(
    ("question", "rest"),
    [
        ("@helper how are you?", "how are you?"),
        ("  @Helper: how are you?", "how are you?"),
        ("@helper, how?", "how?"),
        ("how are you, @helper?", "how are you, @helper?"),
        ("@helpers are here", "@helpers are here"),
        ("@helper", "@helper"),
    ],
)
def test_a_mention_at_the_beginning_is_removed(question: str, rest: str) -> None:
    assert remove_mention(question, "helper") == rest


def test_models_get_names_and_types_of_files() -> None:
    message = Message(sender_type="user", content="")
    text = "Ana: [File: my photo.jpg (image/jpeg, 12,345 bytes): The sea]"
    assert make_turn(message, "Ana", [PHOTO], is_private=False) == Turn("user", text, (PHOTO,))


def test_only_images_that_were_decoded_are_for_models() -> None:
    damaged = replace(PHOTO, width=None, height=None)
    message = Message(sender_type="user", content="")
    assert make_turn(message, "Ana", [damaged, TEXT_FILE, PHOTO], is_private=False).images == (PHOTO,)
