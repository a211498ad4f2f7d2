"""Assistant sessions, and the conversation that all users share with an assistant."""

from http import HTTPStatus

from flask import Blueprint, Flask, Response, current_app, request, url_for

from chatapp.api import resources
from chatapp.api.access import current_caller, protect
from chatapp.api.document import CONTENT_ERRORS, WRITE_ERRORS, describe
from chatapp.api.queries import read_messages
from chatapp.api.responses import respond, respond_messages
from chatapp.api.schemas import (
    AssistantQuery,
    HistoryQuery,
    IdempotencyHeaders,
    MessagesQuery,
    NewMessage,
    NewSession,
    SessionsQuery,
    SessionUpdate,
    parse_id,
    resolve_client_id,
)
from chatapp.api.sessions.streaming import MIMETYPE as EVENT_STREAM
from chatapp.api.sessions.streaming import stream_answer
from chatapp.assistants import service
from chatapp.assistants.queries import SessionSummary, find_shared_conversation, list_history, list_sessions
from chatapp.config.assistants import find_assistant
from chatapp.conversations.policy import authorize_reading
from chatapp.conversations.queries import find_access
from chatapp.conversations.refs import ConversationRef, assistant_ref
from chatapp.errors import Conflict, InvalidReply, InvalidUpload, NotFound
from chatapp.extensions import db
from chatapp.limits.rates import SEARCHES, count_use
from chatapp.models import Conversation, now
from chatapp.presentation.messages import isoformat, present_message_data
from chatapp.presentation.resources import Message
from chatapp.timeline import TimelineMessage, post
from chatapp.timeline.cleanup import clear

blueprint = Blueprint("api_sessions", __name__, url_prefix="/api")
protect(blueprint)

TAG = "Assistants"
SESSION = "/sessions/<session_id>"


@blueprint.get("/sessions")
@describe(resources.Sessions, tag=TAG, query=SessionsQuery)
def list_own_sessions(query: SessionsQuery) -> Response:
    """List your assistant sessions: pinned ones first, then those used last."""
    user_id = current_caller().actor.user_id
    if query.q or query.category:
        count_use(SEARCHES, user_id)
    found = list_sessions(
        db.session(), user_id, words=query.q, category=query.category, limit=query.limit, offset=query.offset
    )
    body: resources.Sessions = {
        "limit": query.limit,
        "offset": query.offset,
        "sessions": [_present(session) for session in found.sessions],
        "total": found.total,
    }
    return respond(body)


@blueprint.post("/sessions")
@describe(resources.SessionDetails, NotFound, Conflict, tag=TAG, status=HTTPStatus.CREATED, json=NewSession)
def begin_session(json: NewSession) -> Response:
    """Start a session with an assistant, also with a template: its prompt and its first messages are copied."""
    session_id = service.start_session(
        current_caller().actor,
        json.assistant or None,
        template_id=json.template,
        title=json.title,
        metadata=json.metadata,
        category=json.category,
        tags=json.tags,
    )
    location = url_for("api_sessions.show_session", session_id=session_id)
    return respond(_present_details(session_id), HTTPStatus.CREATED, Location=location)


@blueprint.get(SESSION)
@describe(resources.SessionDetails, NotFound, tag=TAG)
def show_session(session_id: str) -> Response:
    """Get one of your sessions."""
    return respond(_present_details(parse_id(session_id, "session")))


@blueprint.patch(SESSION)
@describe(resources.SessionDetails, NotFound, *WRITE_ERRORS, tag=TAG, json=SessionUpdate)
def change_session(session_id: str, json: SessionUpdate) -> Response:
    """Rename a session, set its metadata, category and tags, pin it, or make it read-only."""
    number = parse_id(session_id, "session")
    service.change_session(
        current_caller().actor,
        number,
        title=json.title,
        metadata=json.get_changed("metadata"),
        category=json.category,
        tags=json.tags,
        is_pinned=json.pinned,
        is_ended=bool(json.ended),
    )
    return respond(_present_details(number))


@blueprint.delete(SESSION)
@describe(None, NotFound, tag=TAG, status=HTTPStatus.NO_CONTENT)
def delete_session(session_id: str) -> Response:
    """Delete a session with all its messages."""
    service.delete_session(current_caller().actor, parse_id(session_id, "session"))
    return Response(status=HTTPStatus.NO_CONTENT)


@blueprint.get(f"{SESSION}/messages")
@describe(resources.Messages, NotFound, tag=TAG, query=MessagesQuery)
def list_session_messages(session_id: str, query: MessagesQuery) -> Response:
    """List a session's messages, like `GET /api/conversations/…/messages`."""
    session = _get_session(parse_id(session_id, "session"))
    messages = read_messages(db.session(), session, query)
    return respond_messages(session.wire_name, session.message_count, messages, query)


@blueprint.post(f"{SESSION}/messages")
@describe(
    Message,
    NotFound,
    *WRITE_ERRORS,
    *CONTENT_ERRORS,
    InvalidReply,
    InvalidUpload,
    tag=TAG,
    status=HTTPStatus.CREATED,
    json=NewMessage,
    headers=IdempotencyHeaders,
)
def ask(session_id: str, json: NewMessage, headers: IdempotencyHeaders) -> Response:
    """Ask the assistant a question. The response confirms that the question is stored.

    With `Accept: text/event-stream` the status is 200 and the response is a stream of events: `message` is the
    question, each `delta` has the next part of the answer as `content`, `done` is the complete answer.
    """
    session = _get_session(parse_id(session_id, "session"))
    ref = ConversationRef.of(session)
    client_id = resolve_client_id(json.client_id, headers.idempotency_key)
    actor = current_caller().actor

    posted = json.find_files(actor.user_id)

    def post_question() -> TimelineMessage:
        question = post(
            ref,
            actor,
            content=json.content,
            client_id=client_id,
            message_type=json.message_type,
            metadata=json.metadata,
            reply_to=json.reply_to,
            thread_seq=json.thread,
            files=posted.files,
            files_error=posted.error,
        )
        if question.conversation != ref:
            # The answer to it would be that of a conversation that the caller may not be able to read.
            raise Conflict("This client_id belongs to a message in another conversation. Use a new one.")
        return question

    if request.accept_mimetypes.best_match(["application/json", EVENT_STREAM]) != EVENT_STREAM:
        question = post_question()
        location = url_for("api.show_message", conversation=question.conversation.wire_name, seq=question.seq)
        return respond(present_message_data(question), HTTPStatus.CREATED, Location=location)
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Werkzeug documents it
    return stream_answer(app, actor, ref, post_question)


@blueprint.get("/chat/history")
@describe(resources.History, tag=TAG, query=HistoryQuery)
def show_history(query: HistoryQuery) -> Response:
    """List the messages of the conversation that all users share with an assistant, oldest first.

    The history of an unknown assistant is empty. Without a `bot_id` the response has status 200, `success` is false and
    `error` says why.
    """
    if not query.bot_id.strip():
        return _respond_bot_id_required()
    shared = find_shared_conversation(db.session(), query.bot_id)
    messages = list_history(db.session(), shared, limit=query.limit, offset=query.offset) if shared else []
    body: resources.History = {
        "success": True,
        "messages": [
            {
                "role": message.sender_type,
                "content": message.content,
                "timestamp": isoformat(message.created_at),
            }
            for message in messages
        ],
        "timestamp": isoformat(now()),
        "total": shared.message_count if shared else 0,
        "limit": query.limit,
        "offset": query.offset,
    }
    return respond(body)


@blueprint.delete("/chat/history")
@describe(resources.ClearedHistory, NotFound, tag=TAG, query=AssistantQuery)
def clear_history(query: AssistantQuery) -> Response:
    """Delete all messages of the conversation that all users share with an assistant. Admins only.

    A missing `bot_id` has the same response as in `GET /api/chat/history`.
    """
    if not query.bot_id.strip():
        return _respond_bot_id_required()
    shared = find_shared_conversation(db.session(), query.bot_id)
    if shared is None:
        raise NotFound("There is no such assistant, and no history of one.")
    deleted = clear(current_caller().actor, ConversationRef.of(shared))
    body: resources.ClearedHistory = {"success": True, "deleted": deleted, "timestamp": isoformat(now())}
    return respond(body)


def _respond_bot_id_required() -> Response:
    body: resources.HistoryError = {"success": False, "error": "bot_id is required", "timestamp": isoformat(now())}
    return respond(body)


def _get_session(session_id: int) -> Conversation:
    """Return one of the caller's own sessions. Raises `NotFound`."""
    access = find_access(db.session(), assistant_ref(session_id), current_caller().actor.user_id)
    if access.membership is None:
        raise NotFound("There is no such session.")
    return authorize_reading(*access)


def _present_details(session_id: int) -> resources.SessionDetails:
    # Start a new read transaction, which sees what was just written.
    db.session.rollback()
    session = _get_session(session_id)
    return {**_present(SessionSummary.of(session)), "prompt": session.prompt or ""}


def _present(session: SessionSummary) -> resources.Session:
    assistant = find_assistant(session.assistant)
    return {
        "id": session.id,
        "conversation": f"assistant_{session.id}",
        "assistant": assistant.name if assistant else session.assistant,
        "title": session.title,
        "began_at": isoformat(session.started_at),
        "used_at": isoformat(session.used_at),
        "ended_at": isoformat(session.ended_at),
        "total": session.message_count,
        "metadata": session.metadata,
        "category": session.category,
        "tags": list(session.tags),
        "is_pinned": session.is_pinned,
    }
