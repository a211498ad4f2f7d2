"""The pages of direct conversations."""

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from chatapp.conversations.names import ConversationName
from chatapp.conversations.queries import find_access, list_direct_conversations
from chatapp.direct import service
from chatapp.direct.queries import find_named, has_blocked, search_people
from chatapp.errors import Invalid, NotFound
from chatapp.extensions import db
from chatapp.identity import current_person, login_required
from chatapp.presentation.conversations import conversation_items, render_conversation
from chatapp.presentation.urls import direct_path
from chatapp.timeline.reading import last_messages

blueprint = Blueprint("direct", __name__, url_prefix="/direct")

LISTED = 200
"""Conversations on the page that lists them."""


@blueprint.get("")
@login_required
def index() -> str:
    """List one's direct conversations, the last one first, and find people to start one with."""
    person = current_person()
    words = request.args.get("q", "")
    conversations = list_direct_conversations(db.session(), person.id, limit=LISTED)
    return render_template(
        "direct/index.html",
        items=conversation_items(person, conversations),
        last_messages=last_messages(db.session(), conversations),
        most=service.PEOPLE,
        words=words,
        people=search_people(db.session(), words),
    )


@blueprint.post("")
@login_required
def start() -> Response:
    """Lead to the conversation with the chosen people. Raises `Invalid` for none, or too many."""
    names = request.form.getlist("person")
    if not names:
        raise Invalid("Choose at least one person.")
    return redirect(url_for("direct.show", names=",".join(names)))


@blueprint.get("/<names>")
@login_required
def show(names: str) -> str | Response:
    """Show the conversation with the people of these usernames; with one's own, the notepad."""
    person = current_person()
    wanted = set(names.lower().split(","))
    people = find_named(db.session(), wanted)
    if len(people) != len(wanted):
        raise NotFound("There is no such person.")
    others = [each for each in people if each.id != person.id]
    path = direct_path(people, person.id)
    if request.path != path:
        return redirect(path)
    conversation_id = service.open_direct(person.actor, [each.id for each in people])
    place = find_access(db.session(), ConversationName("direct", conversation_id), person.id)
    can_block = len(others) == 1
    return render_conversation(
        place,
        before=request.args.get("before"),
        blockable=others[0] if can_block else None,
        has_blocked=can_block and has_blocked(db.session(), person.id, others[0].id),
    )


@blueprint.post("/<name>/block")
@login_required
def block(name: str) -> Response:
    """Take no direct messages from a person any more."""
    service.block(current_person().actor, _find_id(name))
    return redirect(url_for("direct.show", names=name))


@blueprint.post("/<name>/unblock")
@login_required
def unblock(name: str) -> Response:
    """Take direct messages from a person again."""
    service.unblock(current_person().actor, _find_id(name))
    return redirect(url_for("direct.show", names=name))


def _find_id(name: str) -> int:
    for person in find_named(db.session(), [name]):
        return person.id
    raise NotFound("There is no such person.")
