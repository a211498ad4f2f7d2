"""The general chat's page."""

from flask import Blueprint, request

from chatapp.conversations.names import GENERAL
from chatapp.conversations.queries import find_access
from chatapp.extensions import db
from chatapp.identity import current_person, login_required
from chatapp.presentation.conversations import render_conversation

blueprint = Blueprint("general", __name__)


@blueprint.get("/")
@login_required
def show() -> str:
    """Show the general chat."""
    place = find_access(db.session(), GENERAL, current_person().id)
    return render_conversation(place, before=request.args.get("before"))
