"""Pages of threads: one with its replies and its composer, and the list of those that the user follows."""

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from chatapp.conversations.refs import ConversationRef, parse_ref
from chatapp.extensions import db
from chatapp.identity import current_person, login_required
from chatapp.presentation.kinds import pages_of
from chatapp.presentation.quotes import quote_message
from chatapp.presentation.threads import view_thread
from chatapp.presentation.urls import parse_place, parse_seq
from chatapp.timeline.conversation_state import find_state
from chatapp.timeline.references import thread_path
from chatapp.timeline.thread_markers import mark_thread_read
from chatapp.timeline.thread_members import (
    follow_thread,
    read_followed_threads,
)
from chatapp.web.caching import revalidated

blueprint = Blueprint("threads", __name__)

THREADS_PAGE_SIZE = 50
"""Number of threads on a page."""


@blueprint.get("/threads")
@login_required
@revalidated
def index() -> str:
    """Show the threads that the user follows: first those with unread replies."""
    viewer = current_person()
    page = read_followed_threads(db.session(), viewer.id, after=request.args.get("after"), limit=THREADS_PAGE_SIZE)
    pages = pages_of(db.session(), [thread.conversation for thread in page.items], viewer.id)
    return render_template(
        "threads/index.html",
        threads=list(zip(page.items, pages, strict=True)),
        next=page.next,
        quote=quote_message,
    )


@blueprint.get("/conversations/<conversation>/threads/<seq>")
@login_required
@revalidated
def show(conversation: str, seq: str) -> str:
    """Show a thread: its first message, the last replies or those beside a number, and its composer."""
    root = parse_seq(seq) or 0
    state = find_state(db.session(), parse_ref(conversation), current_person().id, thread_root=root)
    view = view_thread(state, root, place=parse_place(request.args))
    return render_template("threads/show.html", view=view)


@blueprint.post("/conversations/<conversation>/threads/<seq>/follow")
@login_required
def follow(conversation: str, seq: str) -> Response:
    """Follow a thread, or no longer: the value of the button that was pressed."""
    ref, root = parse_ref(conversation), parse_seq(seq) or 0
    follow_thread(ref, current_person().actor, root, on=request.form.get("follow") == "yes")
    return _redirect_to(ref, root)


@blueprint.post("/conversations/<conversation>/threads/<seq>/read")
@login_required
def mark_read(conversation: str, seq: str) -> Response:
    """Mark a thread as read up to the number `seq`."""
    ref, root = parse_ref(conversation), parse_seq(seq) or 0
    mark_thread_read(ref, current_person().actor, root, parse_seq(request.form.get("seq"), "seq") or 0)
    return _redirect_to(ref, root)


def _redirect_to(ref: ConversationRef, root: int) -> Response:
    return redirect(thread_path(ref.wire_name, root), code=303)
