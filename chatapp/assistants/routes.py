"""Pages of assistants: the conversation that all users share with each assistant, and the user's own sessions."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from chatapp.assistants import service
from chatapp.assistants.forms import SessionForm
from chatapp.assistants.queries import find_shared_conversation, list_former, list_sessions
from chatapp.assistants.tags import split_tags
from chatapp.assistants.templates.queries import list_templates
from chatapp.config.assistants import current_assistants
from chatapp.conversations.policy import authorize_session_management, authorize_viewing
from chatapp.conversations.queries import ConversationAccess, find_access
from chatapp.conversations.refs import ConversationRef, assistant_ref
from chatapp.errors import NotFound
from chatapp.extensions import db
from chatapp.identity import current_person, login_required
from chatapp.limits.rates import SEARCHES, count_use
from chatapp.presentation.conversations import render_conversation, view_conversation
from chatapp.presentation.forms import ViewResponse
from chatapp.presentation.urls import ID, parse_id, parse_place
from chatapp.timeline.conversation_state import find_state

blueprint = Blueprint("assistants", __name__)


@blueprint.get("/assistants/<assistant>")
@login_required
def show(assistant: str) -> str:
    """Show the conversation that all users share with an assistant."""
    conversation = find_shared_conversation(db.session(), assistant)
    if conversation is None:
        # The database was unavailable when the server started.
        configured = service.get_assistant(assistant)
        service.synchronize_shared_conversations(current_assistants())
        db.session.rollback()
        conversation = find_shared_conversation(db.session(), configured.name)
    ref = ConversationRef.of(authorize_viewing(conversation, None))
    state = find_state(db.session(), ref, current_person().id)
    return render_conversation(view_conversation(state, parse_place(request.args)))


@blueprint.get("/sessions")
@login_required
def index() -> str:
    """List the user's sessions, or those whose title or tags contain the query."""
    query, category = request.args.get("q", ""), request.args.get("category", "")
    if query or category:
        count_use(SEARCHES, current_person().id)
    return render_template(
        "assistants/index.html",
        assistants=current_assistants(),
        former=list_former(db.session(), current_assistants()),
        sessions=list_sessions(db.session(), current_person().id, words=query, category=category).sessions,
        templates=list_templates(db.session(), current_person().id),
        query=query,
        category=category,
    )


@blueprint.post("/sessions")
@login_required
def start() -> Response:
    """Start a session, also with a template."""
    template = request.form.get("template")
    session_id = service.start_session(
        current_person().actor,
        request.form.get("assistant") or None,
        template_id=None if template is None else parse_id(template, "template"),
    )
    return _redirect_to_session(session_id)


@blueprint.get(f"/sessions/<{ID}:session_id>")
@login_required
def show_session(session_id: int) -> str:
    """Show a session of the user."""
    state = find_state(db.session(), assistant_ref(session_id), current_person().id)
    if state.access.membership is None:
        raise NotFound("There is no such session.")
    return render_conversation(view_conversation(state, parse_place(request.args)))


@blueprint.route(f"/sessions/<{ID}:session_id>/title", methods=["GET", "POST"])
@login_required
def rename(session_id: int) -> ViewResponse:
    """Change the title, the category and the tags of a session."""
    conversation = authorize_session_management(*_find_session_access(session_id), is_admin=False)
    form = SessionForm(
        data={
            "title": conversation.name,
            "category": conversation.category or "",
            "tags": ", ".join(split_tags(conversation.tags or "")),
        }
    )
    with form.show_errors():
        if form.validate_on_submit():
            service.change_session(
                current_person().actor,
                session_id,
                title=form.text(form.title),
                category=form.text(form.category),
                tags=split_tags(form.text(form.tags)),
            )
            return _redirect_to_session(session_id)
    return form.page("assistants/title.html", session_id=session_id, prompt=conversation.prompt)


@blueprint.post(f"/sessions/<{ID}:session_id>/pin")
@login_required
def pin(session_id: int) -> Response:
    """Pin a session to the beginning of lists, or unpin it."""
    service.change_session(current_person().actor, session_id, is_pinned=request.form.get("pinned") == "yes")
    return _redirect_to_session(session_id)


@blueprint.post(f"/sessions/<{ID}:session_id>/end")
@login_required
def end(session_id: int) -> Response:
    """End a session: it becomes read-only."""
    service.change_session(current_person().actor, session_id, is_ended=True)
    return _redirect_to_session(session_id)


@blueprint.post(f"/sessions/<{ID}:session_id>/delete")
@login_required
def delete(session_id: int) -> Response:
    """Delete a session."""
    service.delete_session(current_person().actor, session_id)
    flash("Session deleted.")
    return redirect(url_for("assistants.index"))


def _find_session_access(session_id: int) -> ConversationAccess:
    return find_access(db.session(), assistant_ref(session_id), current_person().id)


def _redirect_to_session(session_id: int) -> Response:
    return redirect(url_for("assistants.show_session", session_id=session_id))
