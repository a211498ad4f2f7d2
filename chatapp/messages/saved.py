"""The page with the messages that a person has saved. It works without JavaScript."""

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from chatapp.conversations.refs import parse_ref
from chatapp.extensions import db
from chatapp.identity import current_person, login_required
from chatapp.presentation.kinds import pages_of
from chatapp.presentation.urls import parse_seq
from chatapp.timeline.saved import read_saved, save
from chatapp.web.caching import revalidated

blueprint = Blueprint("saved", __name__)

PAGE_SIZE = 50
"""Number of messages on a page."""


@blueprint.get("/saved")
@login_required
@revalidated
def index() -> str:
    """Show the messages that the user has saved, saved last first."""
    session, viewer = db.session(), current_person()
    page = read_saved(session, viewer.id, after=request.args.get("after"), limit=PAGE_SIZE)
    conversations = {each.ref: each.conversation for each in page.items if each.conversation is not None}
    pages = dict(zip(conversations, pages_of(session, list(conversations.values()), viewer.id), strict=True))
    return render_template("messages/saved.html", page=page, pages=pages)


@blueprint.post("/conversations/<conversation>/messages/<seq>/saved")
@login_required
def change(conversation: str, seq: str) -> Response:
    """Save a message, or remove it from those that are saved: the value of the button that was pressed."""
    ref, number = parse_ref(conversation), parse_seq(seq) or 0
    save(ref, current_person().actor, number, on=request.form.get("saved") == "yes")
    return redirect(url_for("saved.index"), code=303)
