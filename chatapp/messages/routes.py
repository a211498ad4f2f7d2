"""What a conversation's page asks for, and the form that posts without JavaScript."""

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from chatapp.assistant_config import list_assistants
from chatapp.conversations.kinds import kind_of
from chatapp.conversations.names import ConversationName, parse_name
from chatapp.conversations.policy import authorize_reading
from chatapp.conversations.queries import ConversationAccess, find_access
from chatapp.errors import Busy, Invalid, Unavailable
from chatapp.extensions import db
from chatapp.identity import current_person, login_required
from chatapp.presentation.conversations import render_conversation
from chatapp.presentation.urls import find_path, parse_seq
from chatapp.timeline import get_message, post, read_page
from chatapp.timeline.mentions import list_mentionable
from chatapp.timeline.reading import OLDER_PAGE_SIZE

blueprint = Blueprint("messages", __name__)

NEWER = 4
"""Messages below the one that an address leads to."""


@blueprint.get("/conversations/<conversation>/messages")
@login_required
def older(conversation: str) -> str:
    """Give the messages before a number, as HTML to put before the page's first one."""
    room = authorize_reading(*_place(parse_name(conversation)))
    older_page = read_page(db.session(), room, before=parse_seq(request.args.get("before")), limit=OLDER_PAGE_SIZE)
    return render_template("messages/_page.html", page=older_page)


@blueprint.post("/conversations/<conversation>/messages")
@login_required
def create(conversation: str) -> Response | tuple[str, int]:
    """Post a message; what is refused stands in the composer again, with the reason."""
    name = parse_name(conversation)
    content = request.form.get("content", "")
    try:
        message = post(name, current_person().actor, content=content, client_id=request.form.get("client_id"))
    except (Invalid, Busy, Unavailable) as error:
        return render_conversation(_place(name), draft=content, error=error), error.status
    return redirect(f"{find_path(name)}#message-{message.seq}", code=303)


@blueprint.get("/conversations/<conversation>/messages/<seq>")
@login_required
def show(conversation: str, seq: str) -> Response:
    """Lead to a message where it stands in its conversation."""
    name = parse_name(conversation)
    here = authorize_reading(*_place(name))
    number = get_message(db.session(), here, parse_seq(seq) or 0).seq
    newer = read_page(db.session(), here, after=number, limit=NEWER)
    # One of the last is shown among them, on the page that goes on.
    until = f"?before={(newer.messages[-1].seq or 0) + 1}" if newer.has_newer else ""
    return redirect(f"{find_path(name)}{until}#message-{number}")


@blueprint.get("/conversations/<conversation>/people")
@login_required
def mentionable(conversation: str) -> str:
    """Give whom a message here can name or ask, and whose name begins like `prefix`, as HTML."""
    place = _place(parse_name(conversation))
    here = authorize_reading(*place)
    kind, prefix = kind_of(here), request.args.get("prefix", "")
    return render_template(
        "messages/_people.html",
        people=list_mentionable(db.session(), here, prefix),
        assistants=list_assistants(prefix) if not kind.has_assistant else [],
        may_name_all=kind.may_mention_all(place.membership),
    )


@blueprint.get("/sidebar")
@login_required
def sidebar() -> str:
    """Give the sidebar's list, after it changed."""
    return render_template("layout/_sidebar.html")


def _place(name: ConversationName) -> ConversationAccess:
    return find_access(db.session(), name, current_person().id)
