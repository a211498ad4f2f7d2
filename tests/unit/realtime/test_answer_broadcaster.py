"""The broadcaster of growing answers."""

import time
from dataclasses import replace
from typing import Any

import pytest

from chatapp.assistants.signals import AnswerProgress
from chatapp.conversations.refs import assistant_ref
from chatapp.presentation.messages import render_answer_blocks
from chatapp.realtime import assistants
from chatapp.realtime.assistants import (
    STREAM_LIFETIME_SECONDS,
    AnswerBroadcaster,
    Delta,
    compute_pause,
    delta_created,
)
from chatapp.signals import Signals

CONVERSATION = assistant_ref(3)
ANSWER = {"conversation": "assistant_3", "seq": 2}


class Emitted(list[tuple[str, dict[str, Any]]]):
    """What was emitted, as pairs of event and payload."""

    def emit(self, event: str, payload: dict[str, Any], to: str) -> None:
        assert to == payload["conversation"]
        self.append((event, payload))


@pytest.fixture
def emitted() -> Emitted:
    return Emitted()


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses after the next deltas; 0 seconds after further ones."""
    pauses: list[float] = []
    monkeypatch.setattr(assistants, "compute_pause", lambda *_: pauses.pop(0) if pauses else 0.0)
    return pauses


def make_broadcaster(emitted: Emitted, signals: Signals) -> AnswerBroadcaster:
    return AnswerBroadcaster(emitted, signals, lambda _conversation: 1, render_answer_blocks)


def progress(content: str, *, is_complete: bool = False, is_over: bool = False) -> AnswerProgress:
    return AnswerProgress(CONVERSATION, 2, content, is_complete, is_over)


def test_deltas_are_numbered_and_carry_the_changed_blocks(emitted: Emitted) -> None:
    broadcaster = make_broadcaster(emitted, Signals())
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


def list_html(emitted: Emitted) -> list[str]:
    return [payload["html"] for event, payload in emitted if event == "assistant_delta"]


def test_what_is_added_in_the_pause_after_a_delta_is_in_the_next_one(
    emitted: Emitted, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    broadcaster = make_broadcaster(emitted, Signals())
    pauses.append(2.0)
    for content in ("one", "one two", "one two three"):
        broadcaster.on_progress(progress(content))
    assert [("three" in html) for html in list_html(emitted)] == [False]
    now = time.monotonic()
    monkeypatch.setattr("chatapp.realtime.assistants.time.monotonic", lambda: now + 2.1)
    broadcaster.on_progress(progress("one two three"))
    broadcaster.on_progress(progress("one two three"))
    assert [("three" in html) for html in list_html(emitted)] == [False, True]
    assert [payload["n"] for _, payload in emitted] == [1, 2]


def test_a_complete_text_is_sent_during_the_pause(emitted: Emitted, pauses: list[float]) -> None:
    broadcaster = make_broadcaster(emitted, Signals())
    pauses.append(60.0)
    broadcaster.on_progress(progress("one"))
    broadcaster.on_progress(progress("one two", is_complete=True))
    assert "one two" in list_html(emitted)[-1]


def test_a_small_delta_to_few_sockets_delays_the_next_one_hardly() -> None:
    assert compute_pause(0.001, 2_000, 5, 1) < 0.05


def test_the_more_a_delta_costs_the_longer_is_the_pause_after_it() -> None:
    pause = compute_pause(0.001, 2_000, 5, 1)
    assert compute_pause(0.03, 2_000, 5, 1) > 10 * pause
    assert compute_pause(0.001, 2_000, 500, 1) > 5 * pause
    assert compute_pause(0.001, 100_000, 5, 1) >= 1.0
    assert compute_pause(0.03, 100_000, 500, 100) > 20


def test_a_socket_that_joins_gets_the_answer_so_far(emitted: Emitted) -> None:
    broadcaster = make_broadcaster(emitted, Signals())
    broadcaster.on_progress(progress("one\n\ntwo\n"))
    broadcaster.on_progress(progress("one\n\ntwo\n\nthree"))
    html = "".join(f'<div class="block"><p>{word}</p>\n</div>' for word in ("one", "two", "three"))
    assert broadcaster.present_streams(CONVERSATION) == [{"seq": 2, "n": 2, "html": html}]
    assert broadcaster.present_streams(assistant_ref(4)) == []
    broadcaster.on_progress(progress("", is_over=True))
    assert broadcaster.present_streams(CONVERSATION) == []


def test_deltas_of_another_process_continue_its_stream(emitted: Emitted) -> None:
    signals = Signals()
    sender, receiver = make_broadcaster(emitted, signals), make_broadcaster(emitted, Signals())
    deltas: list[Delta] = []
    signals.connect(delta_created, deltas.append)
    for content in ("one", "one\n\ntwo"):
        sender.on_progress(progress(content))
    assert all(receiver.receive(delta) for delta in deltas)
    assert receiver.present_streams(CONVERSATION) == sender.present_streams(CONVERSATION)
    assert emitted[2:] == emitted[:2]


@pytest.fixture
def processes() -> tuple[AnswerBroadcaster, AnswerBroadcaster, list[Delta]]:
    """The broadcaster of the process that runs an answer, that of another process, and the deltas on the bus."""
    signals = Signals()
    deltas: list[Delta] = []
    signals.connect(delta_created, deltas.append)
    return make_broadcaster(Emitted(), signals), make_broadcaster(Emitted(), Signals()), deltas


Processes = tuple[AnswerBroadcaster, AnswerBroadcaster, list[Delta]]


def test_after_a_lost_delta_the_next_ones_are_refused_until_a_complete_one_comes(processes: Processes) -> None:
    runner, receiver, deltas = processes
    for content in ("one\n\n", "one\n\ntwo\n\n", "one\n\ntwo\n\nthree\n\n", "one\n\ntwo\n\nthree\n\nfour"):
        runner.on_progress(progress(content))
    before = [receiver.receive(deltas[0]), receiver.present_streams(CONVERSATION)]
    assert [receiver.receive(delta) for delta in deltas[2:]] == [False, False]
    assert before == [True, receiver.present_streams(CONVERSATION)]
    runner.resend(CONVERSATION, 2)
    assert receiver.receive(deltas[-1])
    assert receiver.present_streams(CONVERSATION) == runner.present_streams(CONVERSATION)
    assert receiver.receive(deltas[-1]), "a repetition is no gap"
    runner.on_progress(progress("one\n\ntwo\n\nthree\n\nfour\n\nfive"))
    assert receiver.receive(deltas[-1])
    assert receiver.present_streams(CONVERSATION) == runner.present_streams(CONVERSATION)


def test_only_the_process_that_runs_an_answer_sends_it_again(processes: Processes) -> None:
    runner, receiver, deltas = processes
    runner.on_progress(progress("one"))
    receiver.receive(deltas[0])
    receiver.resend(CONVERSATION, 2)
    runner.resend(CONVERSATION, 7)
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
    assert receiver.present_streams(CONVERSATION) == runner.present_streams(CONVERSATION)


def test_an_answer_whose_last_delta_was_lost_is_removed(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    runner, receiver, deltas = processes
    runner.on_progress(progress("one"))
    receiver.receive(deltas[0])
    now = time.monotonic()
    monkeypatch.setattr("chatapp.realtime.assistants.time.monotonic", lambda: now + STREAM_LIFETIME_SECONDS + 1)
    for broadcaster in (runner, receiver):
        broadcaster.receive(replace(deltas[0], conversation=assistant_ref(4)))
    assert receiver.present_streams(CONVERSATION) == []
    assert runner.present_streams(CONVERSATION) != [], "it still runs here"


def test_two_applications_in_one_process_share_no_streams(emitted: Emitted) -> None:
    first, second = make_broadcaster(emitted, Signals()), make_broadcaster(emitted, Signals())
    first.on_progress(progress("one"))
    assert second.present_streams(CONVERSATION) == []
