"""The broadcaster of growing answers."""

import time
from dataclasses import replace
from typing import Any

import pytest

from chatapp.assistants.signals import AnswerProgress
from chatapp.conversations.names import ConversationName
from chatapp.realtime.assistants import STREAM_LIFETIME_SECONDS, AnswerBroadcaster, Delta, delta_created
from chatapp.signals import Signals

CONVERSATION = ConversationName("assistant", 3)
ANSWER = {"conversation": "assistant_3", "seq": 2}


class Emitted(list[tuple[str, dict[str, Any]]]):
    """What was emitted, as pairs of event and payload."""

    def emit(self, event: str, payload: dict[str, Any], to: str) -> None:
        assert to == payload["conversation"]
        self.append((event, payload))


@pytest.fixture
def emitted() -> Emitted:
    return Emitted()


def progress(content: str, *, is_over: bool = False) -> AnswerProgress:
    return AnswerProgress(CONVERSATION, 2, content, is_over)


def test_deltas_are_numbered_and_carry_the_changed_blocks(emitted: Emitted) -> None:
    broadcaster = AnswerBroadcaster(emitted, Signals())
    for content in ("one", "one\n\ntwo\n", "one\n\ntwo\n\nthree"):
        broadcaster.on_progress(progress(content))
    broadcaster.on_progress(progress("one\n\ntwo\n\nthree", is_over=True))
    block = '<div class="block"><p>{}</p>\n</div>'
    assert emitted == [
        ("assistant_delta", ANSWER | {"n": 1, "from": 0, "html": block.format("one")}),
        ("assistant_delta", ANSWER | {"n": 2, "from": 0, "html": block.format("one") + block.format("two")}),
        ("assistant_delta", ANSWER | {"n": 3, "from": 1, "html": block.format("two") + block.format("three")}),
        ("assistant_done", ANSWER),
    ]


def test_a_socket_that_joins_gets_the_answer_so_far(emitted: Emitted) -> None:
    broadcaster = AnswerBroadcaster(emitted, Signals())
    broadcaster.on_progress(progress("one\n\ntwo\n"))
    broadcaster.on_progress(progress("one\n\ntwo\n\nthree"))
    html = "".join(f'<div class="block"><p>{word}</p>\n</div>' for word in ("one", "two", "three"))
    assert broadcaster.present_streams("assistant_3") == [{"seq": 2, "n": 2, "html": html}]
    assert broadcaster.present_streams("assistant_4") == []
    broadcaster.on_progress(progress("", is_over=True))
    assert broadcaster.present_streams("assistant_3") == []


def test_deltas_of_another_process_continue_its_stream(emitted: Emitted) -> None:
    signals = Signals()
    sender, receiver = AnswerBroadcaster(emitted, signals), AnswerBroadcaster(emitted, Signals())
    deltas: list[Delta] = []
    signals.connect(delta_created, deltas.append)
    for content in ("one", "one\n\ntwo"):
        sender.on_progress(progress(content))
    assert all(receiver.receive(delta) for delta in deltas)
    assert receiver.present_streams("assistant_3") == sender.present_streams("assistant_3")
    assert emitted[2:] == emitted[:2]


@pytest.fixture
def processes() -> tuple[AnswerBroadcaster, AnswerBroadcaster, list[Delta]]:
    """The broadcaster of the process that runs an answer, that of another process, and the deltas on the bus."""
    signals = Signals()
    deltas: list[Delta] = []
    signals.connect(delta_created, deltas.append)
    return AnswerBroadcaster(Emitted(), signals), AnswerBroadcaster(Emitted(), Signals()), deltas


Processes = tuple[AnswerBroadcaster, AnswerBroadcaster, list[Delta]]


def test_after_a_lost_delta_the_next_ones_are_refused_until_a_complete_one_comes(processes: Processes) -> None:
    runner, receiver, deltas = processes
    for content in ("one\n\n", "one\n\ntwo\n\n", "one\n\ntwo\n\nthree\n\n", "one\n\ntwo\n\nthree\n\nfour"):
        runner.on_progress(progress(content))
    before = [receiver.receive(deltas[0]), receiver.present_streams("assistant_3")]
    assert [receiver.receive(delta) for delta in deltas[2:]] == [False, False]
    assert before == [True, receiver.present_streams("assistant_3")]
    runner.resend("assistant_3", 2)
    assert receiver.receive(deltas[-1])
    assert receiver.present_streams("assistant_3") == runner.present_streams("assistant_3")
    assert receiver.receive(deltas[-1]), "a repetition is no gap"
    runner.on_progress(progress("one\n\ntwo\n\nthree\n\nfour\n\nfive"))
    assert receiver.receive(deltas[-1])
    assert receiver.present_streams("assistant_3") == runner.present_streams("assistant_3")


def test_only_the_process_that_runs_an_answer_sends_it_again(processes: Processes) -> None:
    runner, receiver, deltas = processes
    runner.on_progress(progress("one"))
    receiver.receive(deltas[0])
    receiver.resend("assistant_3", 2)
    runner.resend("assistant_3", 7)
    assert len(deltas) == 1


def test_a_new_answer_replaces_one_whose_last_delta_was_lost(processes: Processes) -> None:
    runner, receiver, deltas = processes
    for content in ("one", "one two"):
        runner.on_progress(progress(content))
    for delta in deltas:
        receiver.receive(delta)
    runner.on_progress(progress("", is_over=True))
    runner.on_progress(progress("again"))
    assert receiver.receive(deltas[-1])
    assert receiver.present_streams("assistant_3") == runner.present_streams("assistant_3")


def test_an_answer_whose_last_delta_was_lost_is_removed(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    runner, receiver, deltas = processes
    runner.on_progress(progress("one"))
    receiver.receive(deltas[0])
    now = time.monotonic()
    monkeypatch.setattr("chatapp.realtime.assistants.time.monotonic", lambda: now + STREAM_LIFETIME_SECONDS + 1)
    for broadcaster in (runner, receiver):
        broadcaster.receive(replace(deltas[0], conversation="assistant_4"))
    assert receiver.present_streams("assistant_3") == []
    assert runner.present_streams("assistant_3") != [], "it still runs here"


def test_two_applications_in_one_process_share_no_streams(emitted: Emitted) -> None:
    first, second = AnswerBroadcaster(emitted, Signals()), AnswerBroadcaster(emitted, Signals())
    first.on_progress(progress("one"))
    assert second.present_streams("assistant_3") == []
