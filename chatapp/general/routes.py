"""The page of the general chat."""

from flask import Blueprint, request

from chatapp.conversations.refs import GENERAL
from chatapp.extensions import db
from chatapp.identity import current_person, login_required
from chatapp.presentation.conversations import render_conversation, view_conversation
from chatapp.presentation.urls import parse_place
from chatapp.timeline.conversation_state import find_state
from chatapp.web.caching import revalidated

blueprint = Blueprint("general", __name__)


@blueprint.get("/")
@login_required
@revalidated
def show() -> str:
    """Show the general chat."""
    state = find_state(db.session(), GENERAL, current_person().id)
    return render_conversation(view_conversation(state, parse_place(request.args)))
