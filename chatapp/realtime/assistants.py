"""Growing answers: each delta is emitted to the sockets that have joined the conversation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import current_app
from markupsafe import Markup
from socketio import Server

from chatapp.assistants import answer_requests
from chatapp.assistants.answer_requests import current_answer_requests
from chatapp.assistants.signals import AnswerProgress, answer_progressed
from chatapp.conversations.names import parse_name
from chatapp.presentation.markdown import GrowingMarkdown
from chatapp.presentation.messages import present_message, render_answer_blocks
from chatapp.realtime.handlers import Ack, Caller, EventNumber, Payload, handles
from chatapp.signals import Signal, Signals

EXTENSION = "chatapp.answer_broadcaster"
"""Key of the `AnswerBroadcaster` of a serving process in `app.extensions`."""


@dataclass(frozen=True, slots=True)
class Delta:
    """A change of a growing answer: its blocks from index `start` on are replaced. It is the `n`th of the answer."""

    conversation: str
    seq: int
    n: int
    start: int
    blocks: Sequence[str]
    is_over: bool


delta_created: Signal[Delta] = Signal("delta-created")
"""A delta by the worker of this process, for the other processes."""


@dataclass(slots=True)
class AnswerStream:
    """A growing answer, as far as this process has broadcast it."""

    n: int
    blocks: list[str]


class AnswerBroadcaster:
    """Broadcasts the deltas of answers to the sockets of this process, whichever process runs the answer."""

    def __init__(self, server: Server, signals: Signals) -> None:
        self._server = server
        self._signals = signals
        self._markdown: dict[tuple[str, int], GrowingMarkdown] = {}
        self._streams: dict[tuple[str, int], AnswerStream] = {}
        signals.connect(answer_progressed, self.on_progress)

    def on_progress(self, progress: AnswerProgress) -> None:
        """Broadcast what has changed of an answer that this process runs."""
        conversation, seq = progress.conversation.wire_name, progress.seq
        n = self._streams[conversation, seq].n + 1 if (conversation, seq) in self._streams else 1
        start, blocks = 0, list[str]()
        if progress.is_over:
            self._markdown.pop((conversation, seq), None)
        else:
            markdown = self._markdown.setdefault((conversation, seq), GrowingMarkdown())
            start, changed = markdown.grow(progress.content)
            blocks = [str(block) for block in changed]
        delta = Delta(conversation, seq, n, start, blocks, progress.is_over)
        self.broadcast(delta)
        self._signals.send_robust(delta_created, delta)

    def broadcast(self, delta: Delta) -> None:
        """Emit a delta, and store it for sockets that join later."""
        key = delta.conversation, delta.seq
        answer = {"conversation": delta.conversation, "seq": delta.seq}
        if delta.is_over:
            self._streams.pop(key, None)
            self._server.emit("assistant_done", answer, to=delta.conversation)
            return
        stream = self._streams.setdefault(key, AnswerStream(0, []))
        stream.n = delta.n
        stream.blocks[delta.start :] = delta.blocks
        change = {"n": delta.n, "from": delta.start, "html": _render(delta.blocks)}
        self._server.emit("assistant_delta", answer | change, to=delta.conversation)

    def present_streams(self, conversation: str) -> list[Mapping[str, Any]]:
        """Return the growing answers of a conversation. The next delta of each continues there."""
        return [
            {"seq": seq, "n": stream.n, "html": _render(stream.blocks)}
            for (name, seq), stream in list(self._streams.items())
            if name == conversation
        ]


def current_answer_broadcaster() -> AnswerBroadcaster:
    """Return the `AnswerBroadcaster` of the current application."""
    broadcaster: AnswerBroadcaster = current_app.extensions[EXTENSION]
    return broadcaster


class AnswerControl(Payload):
    """Payload of `stop_answer` and `answer_again`."""

    conversation: object
    seq: EventNumber


@handles("stop_answer", AnswerControl)
def stop_answer(caller: Caller, payload: AnswerControl) -> Ack:
    """Stop an answer; its content so far is kept."""
    name = parse_name(payload.conversation)
    return {"message": present_message(answer_requests.stop_answer(name, caller.user.actor, payload.seq))}


@handles("answer_again", AnswerControl)
def regenerate_answer(caller: Caller, payload: AnswerControl) -> Ack:
    """Queue another answer that replaces an earlier one."""
    name = parse_name(payload.conversation)
    return {"message": present_message(current_answer_requests().regenerate(name, caller.user.actor, payload.seq))}


def _render(blocks: Sequence[str]) -> str:
    return render_answer_blocks(map(Markup, blocks))
