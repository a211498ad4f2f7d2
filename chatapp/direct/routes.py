"""The pages of direct conversations."""

from collections.abc import Iterable, Sequence

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from chatapp.conversations.names import direct_name
from chatapp.conversations.people import Person
from chatapp.conversations.policy import authorize_reading
from chatapp.conversations.queries import find_access, list_direct_conversations
from chatapp.direct import service
from chatapp.direct.forms import StartForm
from chatapp.direct.queries import find_named, search_people
from chatapp.errors import NotFound
from chatapp.extensions import db
from chatapp.identity import current_person, login_required
from chatapp.presentation.conversations import conversation_items, render_conversation, view_conversation
from chatapp.presentation.forms import ViewResponse
from chatapp.presentation.kinds import direct_path
from chatapp.presentation.urls import parse_seq
from chatapp.timeline.reading import list_last_messages

blueprint = Blueprint("direct", __name__, url_prefix="/direct")

MAX_LISTED_CONVERSATIONS = 200
"""Maximum number of conversations on the page that lists them."""


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
    """Show the conversation with the users of these usernames; with the user's own, a notepad."""
    person = current_person()
    people = _find_people(names.split(","))
    path = direct_path(people, person.id)
    if request.path != path:
        return redirect(path)
    conversation_id = service.open_direct(person.actor, [member.id for member in people])
    access = find_access(db.session(), direct_name(conversation_id), person.id)
    conversation = authorize_reading(*access)
    return render_conversation(
        view_conversation(conversation, access.membership, before=parse_seq(request.args.get("before")))
    )


@blueprint.post("/<name>/block")
@login_required
def block(name: str) -> Response:
    """Block direct messages from a user."""
    service.block(current_person().actor, _find_user_id(name))
    return redirect(url_for("direct.show", names=name))


@blueprint.post("/<name>/unblock")
@login_required
def unblock(name: str) -> Response:
    """Unblock a user."""
    service.unblock(current_person().actor, _find_user_id(name))
    return redirect(url_for("direct.show", names=name))


def _render_index(form: StartForm) -> str:
    person, search = current_person(), request.args.get("q", "")
    conversations = list_direct_conversations(db.session(), person.id, limit=MAX_LISTED_CONVERSATIONS)
    return render_template(
        "direct/index.html",
        items=conversation_items(person, conversations),
        last_messages=list_last_messages(db.session(), conversations),
        max_others=service.MAX_PEOPLE - 1,
        search=search,
        people=search_people(db.session(), search),
        form=form,
    )


def _find_people(usernames: Iterable[str]) -> Sequence[Person]:
    """Return the people of these usernames. Raises `NotFound` when one of them does not exist."""
    wanted = {username.lower() for username in usernames}
    people = find_named(db.session(), wanted)
    if len(people) != len(wanted):
        raise NotFound("There is no such user.")
    return people


def _find_user_id(name: str) -> int:
    for person in find_named(db.session(), [name]):
        return person.id
    raise NotFound("There is no such user.")
