"""An answer while it is produced."""

import pytest

from chatapp.assistants.answer_queue import Job
from chatapp.assistants.running import MAX_ANSWER_CHARS, RunningAnswer
from chatapp.concurrency.native import Interrupted
from chatapp.conversations.people import Person
from chatapp.conversations.refs import ConversationRef

JOB = Job(
    answer_id=1,
    message_id=2,
    conversation=ConversationRef("assistant", 3),
    is_private=True,
    seq=2,
    reply_to=1,
    assistant="helper",
    asker=Person(1, "ana", "Ana"),
)


def test_text_is_appended() -> None:
    answer = RunningAnswer(JOB)
    answer.append("Good ")
    answer.append("morning")
    assert answer.content == "Good morning"
    assert not answer.is_over.is_set()


@pytest.mark.parametrize("text", ["\0", "\ud83d"])
def test_characters_that_cannot_be_stored_are_replaced(text: str) -> None:
    answer = RunningAnswer(JOB)
    answer.append(f"a{text}b")
    assert answer.content == "a\N{REPLACEMENT CHARACTER}b"


def test_an_answer_that_is_too_long_is_stopped() -> None:
    answer = RunningAnswer(JOB)
    answer.append("x" * MAX_ANSWER_CHARS)
    assert not answer.is_over.is_set()
    answer.append("xx")
    assert len(answer.content) == MAX_ANSWER_CHARS
    assert answer.is_over.is_set()
    assert (answer.state, answer.problem) == ("stopped", "The answer was cut off because it is too long.")


def test_only_the_first_end_counts() -> None:
    answer = RunningAnswer(JOB)
    answer.end("stopped")
    answer.end("failed", "The model is busy.")
    assert (answer.state, answer.problem) == ("stopped", None)


def test_the_end_of_an_answer_interrupts_its_provider() -> None:
    answer = RunningAnswer(JOB)
    answer.end("stopped")
    with pytest.raises(Interrupted), answer.interruption.ends():
        pass
