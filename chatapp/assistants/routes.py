"""The pages of assistants: the conversation that all share, and one's own sessions."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from chatapp.assistant_config import Assistant, current_assistants
from chatapp.assistants import service
from chatapp.assistants.forms import TitleForm
from chatapp.assistants.queries import find_shared, list_sessions
from chatapp.conversations.names import ConversationName, assistant_name, parse_name
from chatapp.conversations.policy import authorize_session_management
from chatapp.conversations.queries import ConversationAccess, find_access
from chatapp.errors import NotFound
from chatapp.extensions import db
from chatapp.identity import current_person, login_required
from chatapp.presentation.conversations import render_conversation
from chatapp.presentation.forms import ViewResponse
from chatapp.presentation.urls import ID, find_path

blueprint = Blueprint("assistants", __name__)


@blueprint.get("/assistants/<assistant>")
@login_required
def show(assistant: str) -> str:
    """Show the conversation that everybody has with an assistant."""
    name = _assistant(assistant).name
    conversation = find_shared(db.session(), name)
    if conversation is None:
        # Its file was changed while the server ran, or the start had no database.
        service.create_shared_conversations([name])
        db.session.rollback()
        conversation = find_shared(db.session(), name)
    return render_conversation(ConversationAccess(conversation, None), before=request.args.get("before"))


@blueprint.get("/sessions")
@login_required
def index() -> str:
    """List one's sessions, the one that was last used first, or those with some words in their title."""
    words = request.args.get("q", "")
    return render_template(
        "assistants/index.html",
        assistants=current_assistants(),
        sessions=list_sessions(db.session(), current_person().id, words=words).sessions,
        words=words,
    )


@blueprint.post("/sessions")
@login_required
def start() -> Response:
    """Begin a session."""
    assistant = _assistant(request.form.get("assistant", ""))
    return _to_session(service.start_session(current_person().actor, assistant.name))


@blueprint.get(f"/sessions/<{ID}:session_id>")
@login_required
def show_session(session_id: int) -> str:
    """Show one of one's sessions."""
    place = _place(assistant_name(session_id))
    if place.membership is None:
        raise NotFound("There is no such session.")
    return render_conversation(place, before=request.args.get("before"))


@blueprint.route(f"/sessions/<{ID}:session_id>/title", methods=["GET", "POST"])
@login_required
def rename(session_id: int) -> ViewResponse:
    """Give a session another title."""
    place = _place(assistant_name(session_id))
    conversation = authorize_session_management(*place, is_admin=False)
    form = TitleForm(data={"title": conversation.name})
    with form.show_errors():
        if form.validate_on_submit():
            service.rename_session(current_person().actor, session_id, form.text(form.title))
            return _to_session(session_id)
    return form.page("assistants/title.html", session_id=session_id)


@blueprint.post(f"/sessions/<{ID}:session_id>/end")
@login_required
def end(session_id: int) -> Response:
    """Let a session be read only."""
    service.end_session(current_person().actor, session_id)
    return _to_session(session_id)


@blueprint.post(f"/sessions/<{ID}:session_id>/delete")
@login_required
def delete(session_id: int) -> Response:
    """Remove a session."""
    service.delete_session(current_person().actor, session_id)
    flash("The session is deleted.")
    return redirect(url_for("assistants.index"))


@blueprint.post("/conversations/<conversation>/clear")
@login_required
def clear(conversation: str) -> Response:
    """Remove all messages of a conversation with an assistant."""
    name = parse_name(conversation)
    service.clear_conversation(current_person().actor, name)
    flash("The conversation is cleared.")
    return redirect(find_path(name))


def _assistant(name: str) -> Assistant:
    try:
        return current_assistants()[name]
    except KeyError:
        raise NotFound("There is no such assistant.") from None


def _place(name: ConversationName) -> ConversationAccess:
    return find_access(db.session(), name, current_person().id)


def _to_session(session_id: int) -> Response:
    return redirect(url_for("assistants.show_session", session_id=session_id))
