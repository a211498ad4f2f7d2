"""The pages of direct conversations."""

from collections.abc import Iterable, Sequence

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from chatapp.conversations.names import direct_name
from chatapp.conversations.people import Person
from chatapp.conversations.queries import find_access, list_direct_conversations
from chatapp.direct import service
from chatapp.direct.forms import StartForm
from chatapp.direct.queries import find_named, has_blocked, search_people
from chatapp.errors import NotFound
from chatapp.extensions import db
from chatapp.identity import current_person, login_required
from chatapp.presentation.conversations import conversation_items, render_conversation
from chatapp.presentation.forms import ViewResponse
from chatapp.presentation.urls import direct_path
from chatapp.timeline.reading import list_last_messages

blueprint = Blueprint("direct", __name__, url_prefix="/direct")

LISTED = 200
"""Conversations on the page that lists them."""


@blueprint.get("")
@login_required
def index() -> str:
    """List the user's direct conversations, the last used first, and the people to start one with."""
    return _render_index(StartForm(formdata=None))


@blueprint.post("")
@login_required
def start() -> ViewResponse:
    """Redirect to the conversation with the chosen people."""
    form = StartForm()
    with form.show_errors():
        if form.validate():
            people = _find_people(form.person.data or ())
            service.check_size({current_person().id, *(person.id for person in people)})
            return redirect(direct_path(people, current_person().id))
    return _render_index(form), form.status


@blueprint.get("/<names>")
@login_required
def show(names: str) -> str | Response:
    """Show the conversation with the people of these usernames; with one's own, the notepad."""
    person = current_person()
    people = _find_people(names.split(","))
    others = [each for each in people if each.id != person.id]
    path = direct_path(people, person.id)
    if request.path != path:
        return redirect(path)
    conversation_id = service.open_direct(person.actor, [each.id for each in people])
    place = find_access(db.session(), direct_name(conversation_id), person.id)
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


def _render_index(form: StartForm) -> str:
    person, words = current_person(), request.args.get("q", "")
    conversations = list_direct_conversations(db.session(), person.id, limit=LISTED)
    return render_template(
        "direct/index.html",
        items=conversation_items(person, conversations),
        last_messages=list_last_messages(db.session(), conversations),
        max_others=service.PEOPLE - 1,
        words=words,
        people=search_people(db.session(), words),
        form=form,
    )


def _find_people(usernames: Iterable[str]) -> Sequence[Person]:
    """Return the people of these usernames. Raises `NotFound` when one of them does not exist."""
    wanted = {username.lower() for username in usernames}
    people = find_named(db.session(), wanted)
    if len(people) != len(wanted):
        raise NotFound("There is no such person.")
    return people


def _find_id(name: str) -> int:
    for person in find_named(db.session(), [name]):
        return person.id
    raise NotFound("There is no such person.")
