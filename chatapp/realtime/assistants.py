"""Answers while they come: what is new of one goes to everybody who has its conversation open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Flask
from markupsafe import Markup

from chatapp.assistants import asking
from chatapp.assistants.signals import Growth, answer_grew
from chatapp.conversations.names import parse_name
from chatapp.extensions import socketio
from chatapp.presentation.markdown import GrowingMarkdown
from chatapp.presentation.messages import draw_blocks, present_message
from chatapp.realtime.handlers import Ack, Caller, EventNumber, Payload, handles
from chatapp.signals import Signal


@dataclass(frozen=True, slots=True)
class Delta:
    """What has changed of an answer: the blocks from the one numbered `start` on. It is the `n`th of the answer."""

    conversation: str
    seq: int
    n: int
    start: int
    blocks: Sequence[str]
    is_over: bool


delta_made: Signal[Delta] = Signal("delta-made")
"""For the other processes."""


@dataclass(slots=True)
class Stream:
    """An answer as far as this process has told of it."""

    n: int
    blocks: list[str]


class Steering(Payload):
    """Payload of `stop_answer` and `answer_again`."""

    conversation: object
    seq: EventNumber


@handles("stop_answer", Steering)
def stop_answer(caller: Caller, payload: Steering) -> Ack:
    """End an answer and keep what was said."""
    stopped = asking.stop_answer(parse_name(payload.conversation), caller.person.actor, payload.seq)
    return {"message": present_message(stopped)}


@handles("answer_again", Steering)
def answer_again(caller: Caller, payload: Steering) -> Ack:
    """Ask for another answer in the place of one."""
    begun = asking.ask_again(parse_name(payload.conversation), caller.person.actor, payload.seq)
    return {"message": present_message(begun)}


_streams: dict[tuple[str, int], Stream] = {}
"""The answers under way that this process knows of, by conversation and number."""


def present_streams(conversation: str) -> list[Mapping[str, Any]]:
    """Give how far the answers under way in a conversation have come: a later delta continues there."""
    return [
        {"seq": seq, "n": stream.n, "html": draw_blocks(map(Markup, stream.blocks))}
        for (name, seq), stream in list(_streams.items())
        if name == conversation
    ]


class AnswerTeller:
    """Tells of answers, those of this process and those that others work on."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._growing: dict[tuple[str, int], GrowingMarkdown] = {}
        answer_grew.connect(self.tell_growth)

    def tell_growth(self, growth: Growth) -> None:
        """Tell what is new of an answer that this process works on."""
        conversation = growth.conversation.wire_name
        key = (conversation, growth.seq)
        start, blocks = self._growing.setdefault(key, GrowingMarkdown()).grow(growth.content)
        n = _streams[key].n + 1 if key in _streams else 1
        delta = Delta(conversation, growth.seq, n, start, [str(block) for block in blocks], growth.is_over)
        if growth.is_over:
            del self._growing[key]
        self.tell(delta)
        delta_made.send(delta)

    def tell(self, delta: Delta) -> None:
        """Emit a delta, and remember it for whoever joins."""
        key = (delta.conversation, delta.seq)
        place = {"conversation": delta.conversation, "seq": delta.seq}
        if delta.is_over:
            _streams.pop(key, None)
            socketio.emit("assistant_done", place, to=delta.conversation)
            return
        stream = _streams.setdefault(key, Stream(0, []))
        stream.n = delta.n
        stream.blocks[delta.start :] = delta.blocks
        numbered = {"n": delta.n, "from": delta.start, "html": draw_blocks(map(Markup, delta.blocks))}
        socketio.emit("assistant_delta", place | numbered, to=delta.conversation)
