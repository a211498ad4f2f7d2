"""The API of assistants: one's own sessions, and the history that all share."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus

import orjson
from flask import Blueprint, Flask, Response, current_app, request, url_for

from chatapp.api.access import current_caller, protect
from chatapp.api.document import CONTENT, WRITING, answers
from chatapp.api.presenting import answer, answer_messages
from chatapp.api.schemas import (
    ChangedSession,
    Cleared,
    History,
    HistoryQuery,
    Keyed,
    Message,
    Messages,
    NewMessage,
    NewSession,
    PageQuery,
    Session,
    Sessions,
    SessionsQuery,
    WhichHistory,
    parse_number,
    read_client_id,
)
from chatapp.assistant_config import current_assistants
from chatapp.assistants import service
from chatapp.assistants.queries import SessionSummary, find_shared_conversation, list_history, list_sessions
from chatapp.assistants.subscription import AnswerSubscription
from chatapp.conversations.names import ConversationName, assistant_name
from chatapp.conversations.policy import authorize_reading
from chatapp.conversations.queries import find_access
from chatapp.errors import NotFound
from chatapp.extensions import db
from chatapp.models import Conversation, now
from chatapp.models.base import LAST_ID
from chatapp.presentation.messages import isoformat, present_message_data
from chatapp.timeline import TimelineMessage, page, post

blueprint = Blueprint("api_assistants", __name__, url_prefix="/api")
protect(blueprint)

TAG = "Assistants"
SESSION = "/sessions/<session_id>"
MIMETYPE, EVENTS = "application/json", "text/event-stream"


@blueprint.get("/sessions")
@answers(Sessions, tag=TAG, query=SessionsQuery)
def list_own_sessions(query: SessionsQuery) -> Response:
    """List one's sessions, the one that was last used first."""
    user_id = current_caller().actor.user_id
    found = list_sessions(db.session(), user_id, title=query.q, limit=query.limit, offset=query.offset)
    body = {"sessions": [_present(each) for each in found.sessions], "total": found.total}
    return answer({"limit": query.limit, "offset": query.offset} | body)


@blueprint.post("/sessions")
@answers(Session, NotFound, tag=TAG, status=HTTPStatus.CREATED, json=NewSession)
def begin_session(json: NewSession) -> Response:
    """Begin a session with an assistant."""
    name = json.assistant or next(iter(current_assistants()))
    session_id = service.start_session(current_caller().actor, _assistant(name), json.title)
    location = url_for("api_assistants.show_session", session_id=session_id)
    return answer(_present(_summary(session_id)), HTTPStatus.CREATED, Location=location)


@blueprint.get(SESSION)
@answers(Session, NotFound, tag=TAG)
def show_session(session_id: str) -> Response:
    """Show one of one's sessions."""
    return answer(_present(_summary(_number(session_id))))


@blueprint.patch(SESSION)
@answers(Session, NotFound, *WRITING, tag=TAG, json=ChangedSession)
def change_session(session_id: str, json: ChangedSession) -> Response:
    """Give a session another title, or let it be read only."""
    number, actor = _number(session_id), current_caller().actor
    if json.title is not None:
        service.rename_session(actor, number, json.title)
    if json.ended:
        service.end_session(actor, number)
    return answer(_present(_summary(number)))


@blueprint.delete(SESSION)
@answers(None, NotFound, tag=TAG, status=HTTPStatus.NO_CONTENT)
def delete_session(session_id: str) -> Response:
    """Remove a session, with all that was said."""
    service.delete_session(current_caller().actor, _number(session_id))
    return Response(status=HTTPStatus.NO_CONTENT)


@blueprint.get(f"{SESSION}/messages")
@answers(Messages, NotFound, tag=TAG, query=PageQuery)
def list_session_messages(session_id: str, query: PageQuery) -> Response:
    """List a session's messages, as `GET /api/conversations/…/messages` does."""
    here = _session(_number(session_id))
    shown = page(db.session(), here, before=query.before, after=query.after, limit=query.limit)
    return answer_messages(here.wire_name, here.message_count, shown, query)


@blueprint.post(f"{SESSION}/messages")
@answers(Message, NotFound, *WRITING, *CONTENT, tag=TAG, status=HTTPStatus.CREATED, json=NewMessage, headers=Keyed)
def ask(session_id: str, json: NewMessage, headers: Keyed) -> Response:
    """Ask the assistant something. The question is durable when this answers.

    With `Accept: text/event-stream` the answer is 200 and a stream of events: `message` is the question, each `delta`
    has the next piece of the answer as `content`, `done` is the whole answer.
    """
    here = _session(_number(session_id))
    name = ConversationName.of(here)
    client_id = read_client_id(json.client_id, headers.idempotency_key)
    actor = current_caller().actor
    if request.accept_mimetypes.best_match([MIMETYPE, EVENTS]) != EVENTS:
        question = post(name, actor, content=json.content, client_id=client_id)
        location = url_for("api.show_message", conversation=question.conversation.wire_name, seq=question.seq)
        return answer(present_message_data(question), HTTPStatus.CREATED, Location=location)
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Werkzeug documents it
    subscription = AnswerSubscription(app)
    subscription.open()
    try:
        question = post(name, actor, content=json.content, client_id=client_id)
    except BaseException:
        subscription.close()
        raise
    return Response(
        _stream(subscription, question),
        mimetype=EVENTS,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@blueprint.get("/chat/history")
@answers(History, NotFound, tag=TAG, query=HistoryQuery)
def show_history(query: HistoryQuery) -> Response:
    """List what everybody has said to an assistant, and what it answered, from the first message on."""
    shared = find_shared_conversation(db.session(), _assistant(query.bot_id))
    found = list_history(db.session(), shared, limit=query.limit, offset=query.offset) if shared else []
    messages = [
        {"role": each.sender_type, "content": each.content, "timestamp": isoformat(each.created_at)} for each in found
    ]
    total = shared.message_count if shared else 0
    stretch = {"total": total, "limit": query.limit, "offset": query.offset}
    return answer({"success": True, "messages": messages, "timestamp": isoformat(now())} | stretch)


@blueprint.delete("/chat/history")
@answers(Cleared, NotFound, tag=TAG, query=WhichHistory)
def clear_history(query: WhichHistory) -> Response:
    """Remove all that was said in the conversation that everybody has with an assistant. Admins only."""
    shared = find_shared_conversation(db.session(), _assistant(query.bot_id))
    if shared is None:
        raise NotFound("Nobody has talked with this assistant yet.")
    deleted = service.clear_conversation(current_caller().actor, ConversationName.of(shared))
    return answer({"success": True, "deleted": deleted, "timestamp": isoformat(now())})


def _stream(subscription: AnswerSubscription, question: TimelineMessage) -> Iterator[bytes]:
    told = 0
    try:
        yield _event("message", present_message_data(question))
        for step in subscription.updates(question):
            if step is None:
                # Whatever stands between keeps a connection open on which something comes.
                yield b": \n\n"
            elif isinstance(step, TimelineMessage):
                yield _event("done", present_message_data(step))
            elif len(step) > told:
                yield _event("delta", {"content": step[told:]})
                told = len(step)
    finally:
        subscription.close()


def _event(name: str, data: Mapping[str, object]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"


def _assistant(name: str) -> str:
    if name not in current_assistants():
        raise NotFound("There is no such assistant.")
    return name


def _number(session_id: str) -> int:
    return parse_number(session_id, "A session's id", LAST_ID)


def _session(session_id: int) -> Conversation:
    """Find a session of one's own. Raises `NotFound`."""
    place = find_access(db.session(), assistant_name(session_id), current_caller().actor.user_id)
    if place.membership is None:
        raise NotFound("There is no such session.")
    return authorize_reading(*place)


def _summary(session_id: int) -> SessionSummary:
    db.session.rollback()
    return SessionSummary.of(_session(session_id))


def _present(session: SessionSummary) -> dict[str, object]:
    return {
        "id": session.id,
        "conversation": f"assistant_{session.id}",
        "assistant": session.assistant,
        "title": session.title,
        "began_at": isoformat(session.started_at),
        "used_at": isoformat(session.used_at),
        "ended_at": isoformat(session.ended_at),
        "total": session.message_count,
    }
