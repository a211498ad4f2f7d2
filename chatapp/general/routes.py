"""The page of the general chat."""

from flask import Blueprint, request

from chatapp.conversations.policy import authorize_reading
from chatapp.conversations.queries import find_access
from chatapp.conversations.refs import GENERAL
from chatapp.extensions import db
from chatapp.identity import current_person, login_required
from chatapp.presentation.conversations import render_conversation, view_conversation
from chatapp.presentation.urls import parse_seq

blueprint = Blueprint("general", __name__)


@blueprint.get("/")
@login_required
def show() -> str:
    """Show the general chat."""
    access = find_access(db.session(), GENERAL, current_person().id)
    conversation = authorize_reading(*access)
    return render_conversation(
        view_conversation(conversation, access.membership, before=parse_seq(request.args.get("before")))
    )
