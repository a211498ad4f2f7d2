"""Growing answers: each delta is emitted to the sockets that have joined the conversation."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import current_app
from socketio import Server

from chatapp.assistants import answer_requests
from chatapp.assistants.answer_requests import current_answer_requests
from chatapp.assistants.signals import AnswerProgress, answer_progressed
from chatapp.conversations.refs import ConversationRef, parse_ref
from chatapp.presentation.messages import present_message
from chatapp.realtime.handlers import Ack, Caller, EventNumber, Payload, handles
from chatapp.signals import Signal, Signals

if TYPE_CHECKING:
    from chatapp.markdown.rendering import GrowingMarkdown

EXTENSION = "chatapp.answer_broadcaster"
"""Key of the `AnswerBroadcaster` of a serving process in `app.extensions`."""


MAX_SHARE = 0.25
"""Share of the process's time that all growing answers together may take."""

MIN_ANSWERS = 5
"""So many answers share `MAX_SHARE`, even if fewer grow."""

SECONDS_PER_LISTENER = 20e-6
SECONDS_PER_BYTE = 0.5e-9
"""Approximate time to send a delta to a socket, and additional time for each byte of it."""

BYTES_PER_SECOND = 100_000
"""Bytes that the deltas of one answer bring to each socket: also to those of other processes, which are not counted."""

STREAM_LIFETIME_SECONDS = 600.0
"""Time after which an answer of another process without a delta is removed. A provider fails much earlier."""


@dataclass(frozen=True, slots=True)
class Delta:
    """A change of a growing answer: its blocks from index `start` on are replaced. It is the `n`th of the answer."""

    conversation: ConversationRef
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
    updated_at: float


@dataclass(slots=True)
class GrowingAnswer:
    """An answer that this process runs."""

    markdown: "GrowingMarkdown"
    content: str = ""
    due_at: float = 0.0
    """Time until which no further delta is sent."""


def compute_pause(render_seconds: float, size: int, listeners: int, answers: int) -> float:
    """Return the seconds until the next delta of an answer, after one of `size` bytes: the more it cost, the longer.

    `answers` grow at the same time. The next delta has the text that is added meanwhile.
    """
    seconds = render_seconds + listeners * (SECONDS_PER_LISTENER + size * SECONDS_PER_BYTE)
    return max(seconds * max(answers, MIN_ANSWERS) / MAX_SHARE, size / BYTES_PER_SECOND)


class AnswerBroadcaster:
    """Broadcasts the deltas of answers to the sockets of this process, whichever process runs the answer.

    Deltas of other processes can be lost. After a gap, `receive` refuses deltas until one comes that is complete: that
    has all blocks.
    """

    def __init__(
        self,
        server: Server,
        signals: Signals,
        count_listeners: Callable[[str], int],
        render: Callable[[Iterable[str]], str],
    ) -> None:
        """`render` returns the HTML of blocks."""
        self._server = server
        self._signals = signals
        self._count_listeners = count_listeners
        self._render = render
        self._growing: dict[tuple[ConversationRef, int], GrowingAnswer] = {}
        self._streams: dict[tuple[ConversationRef, int], AnswerStream] = {}
        signals.connect(answer_progressed, self.on_progress)

    def on_progress(self, progress: AnswerProgress) -> None:
        """Broadcast what was added to an answer that this process runs, unless the pause after the last delta lasts."""
        key = ref, seq = progress.conversation, progress.seq
        n = self._streams[key].n + 1 if key in self._streams else 1
        if progress.is_over:
            self._growing.pop(key, None)
            self._send(Delta(ref, seq, n, 0, [], is_over=True))
            return
        answer = self._growing.get(key)
        if answer is None:
            # The first answer imports the parser, not the start.
            from chatapp.markdown.rendering import GrowingMarkdown

            answer = self._growing[key] = GrowingAnswer(GrowingMarkdown())
        if progress.content == answer.content or (time.monotonic() < answer.due_at and not progress.is_complete):
            return
        started = time.thread_time()
        start, changed = answer.markdown.grow(progress.content)
        answer.content = progress.content
        self._send(Delta(ref, seq, n, start, [str(block) for block in changed], is_over=False))
        pause = compute_pause(
            time.thread_time() - started,
            sum(map(len, changed)),
            self._count_listeners(ref.wire_name),
            len(self._growing),
        )
        answer.due_at = time.monotonic() + pause

    def _send(self, delta: Delta) -> None:
        self.broadcast(delta)
        self._signals.send_robust(delta_created, delta)

    def receive(self, delta: Delta) -> bool:
        """Broadcast a delta of another process. Return False if one before it was lost: then `resend` it there."""
        stream = self._streams.get((delta.conversation, delta.seq))
        last = stream.n if stream else 0
        if delta.is_over or delta.n == last + 1 or (delta.start == 0 and delta.n != last):
            self.broadcast(delta)
            return True
        return delta.n == last

    def resend(self, ref: ConversationRef, seq: int) -> None:
        """Send the other processes a complete delta of an answer, if this process runs it."""
        key = ref, seq
        if key in self._growing and key in self._streams:
            stream = self._streams[key]
            delta = Delta(ref, seq, stream.n, 0, list(stream.blocks), is_over=False)
            self._signals.send_robust(delta_created, delta)

    def broadcast(self, delta: Delta) -> None:
        """Emit a delta, and store it for sockets that join later."""
        key = delta.conversation, delta.seq
        channel = delta.conversation.wire_name
        answer = {"conversation": channel, "seq": delta.seq}
        if delta.is_over:
            self._streams.pop(key, None)
            self._server.emit("assistant_done", answer, to=channel)
            return
        now = time.monotonic()
        if key not in self._streams:
            self._remove_silent_streams(now)
        stream = self._streams.setdefault(key, AnswerStream(0, [], now))
        stream.n, stream.updated_at = delta.n, now
        stream.blocks[delta.start :] = delta.blocks
        change = {"n": delta.n, "from": delta.start, "html": self._render(delta.blocks)}
        self._server.emit("assistant_delta", answer | change, to=channel)

    def present_streams(self, ref: ConversationRef) -> list[Mapping[str, Any]]:
        """Return the growing answers of a conversation. The next delta of each continues there.

        An answer of another process may have ended: its last delta can be lost.
        """
        return [
            {"seq": seq, "n": stream.n, "html": self._render(stream.blocks)}
            for (key, seq), stream in list(self._streams.items())
            if key == ref
        ]

    def _remove_silent_streams(self, now: float) -> None:
        """Remove the streams of other processes whose last delta was lost."""
        for key, stream in list(self._streams.items()):
            if key not in self._growing and stream.updated_at < now - STREAM_LIFETIME_SECONDS:
                del self._streams[key]


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
    ref = parse_ref(payload.conversation)
    return {"message": present_message(answer_requests.stop_answer(ref, caller.user.actor, payload.seq)).with_html}


@handles("answer_again", AnswerControl)
def regenerate_answer(caller: Caller, payload: AnswerControl) -> Ack:
    """Queue another answer that replaces an earlier one."""
    ref = parse_ref(payload.conversation)
    answer = current_answer_requests().regenerate(ref, caller.user.actor, payload.seq)
    return {"message": present_message(answer).with_html}
