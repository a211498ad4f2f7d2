"""An assistant's answer as a stream of server-sent events."""

from collections.abc import Callable, Iterator, Mapping

import orjson
from flask import Flask, Response

from chatapp.actors import Actor
from chatapp.assistants.subscription import AnswerSubscription
from chatapp.conversations.refs import ConversationRef
from chatapp.presentation.messages import present_message_data
from chatapp.timeline import TimelineMessage

MIMETYPE = "text/event-stream"


def stream_answer(
    app: Flask, actor: Actor, conversation: ConversationRef, ask: Callable[[], TimelineMessage]
) -> Response:
    """Post a question with `ask` and return a response that streams the answer. Raises what `ask` raises."""
    subscription = AnswerSubscription(app, actor, conversation)
    # Before the question is posted, so that no part of the answer is missed.
    subscription.open()
    try:
        question = ask()
    except BaseException:
        subscription.close()
        raise
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Response(_stream(subscription, question), mimetype=MIMETYPE, headers=headers)


def _stream(subscription: AnswerSubscription, question: TimelineMessage) -> Iterator[bytes]:
    sent_chars = 0
    try:
        yield _format_event("message", present_message_data(question))
        for update in subscription.updates(question):
            if update is None:
                # A comment, so that proxies do not close an idle connection.
                yield b": \n\n"
            elif isinstance(update, TimelineMessage):
                yield _format_event("done", present_message_data(update))
            elif len(update) > sent_chars:
                yield _format_event("delta", {"content": update[sent_chars:]})
                sent_chars = len(update)
    finally:
        subscription.close()


def _format_event(name: str, data: Mapping[str, object]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"
