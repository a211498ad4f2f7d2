"""The pages of direct conversations."""

from collections.abc import Sequence

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from chatapp.conversations.people import MAX_PEOPLE, Person, check_size, find_named
from chatapp.conversations.queries import direct_key, find_direct, list_direct_conversations
from chatapp.conversations.refs import direct_ref
from chatapp.conversations.service import open_direct
from chatapp.direct import service
from chatapp.direct.forms import StartForm
from chatapp.direct.queries import search_people
from chatapp.errors import Forbidden, NotFound, RateLimited
from chatapp.extensions import db
from chatapp.identity import AuthenticatedUser, current_person, login_required
from chatapp.limits.rates import SEARCHES, count_use
from chatapp.presentation.conversations import render_conversation, view_conversation
from chatapp.presentation.forms import ViewResponse
from chatapp.presentation.kinds import block_state, direct_path, direct_title
from chatapp.presentation.sidebar import conversation_items
from chatapp.presentation.urls import parse_place
from chatapp.timeline.conversation_state import find_state
from chatapp.timeline.reading import list_last_messages
from chatapp.web.caching import revalidated

blueprint = Blueprint("direct", __name__, url_prefix="/direct")

MAX_LISTED_CONVERSATIONS = 200
"""Maximum number of conversations on the page that lists them."""


@blueprint.get("")
@login_required
@revalidated
def index() -> str:
    """List the user's direct conversations, the last used first, and the people to start one with."""
    return _render_index(StartForm(formdata=None))


@blueprint.post("")
@login_required
def start() -> ViewResponse:
    """Create the conversation with the chosen people if there is none, and redirect to it."""
    form = StartForm()
    with form.show_errors(Forbidden, NotFound, RateLimited):
        if form.validate():
            people = find_named(db.session(), form.person.data or ())
            open_direct(current_person().actor, [person.id for person in people])
            return redirect(direct_path(people, current_person().id))
    return _render_index(form), form.status


@blueprint.get("/<names>")
@login_required
@revalidated
def show(names: str) -> str | Response:
    """Show the conversation with the users of these usernames, or offer to start it; with the user's own, a notepad."""
    viewer = current_person()
    people = find_named(db.session(), names.split(","))
    path = direct_path(people, viewer.id)
    if request.path != path:
        return redirect(path)
    user_ids = {viewer.id, *(person.id for person in people)}
    found = find_direct(db.session(), direct_key(user_ids))
    if found is None:
        check_size(user_ids)
        return _render_start(viewer, people)
    state = find_state(db.session(), direct_ref(found.id), viewer.id)
    return render_conversation(view_conversation(state, parse_place(request.args)))


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


def _render_start(viewer: AuthenticatedUser, people: Sequence[Person]) -> str:
    return render_template(
        "direct/start.html",
        title=direct_title(people, viewer.id),
        people=people,
        is_notepad=[person.id for person in people] == [viewer.id],
        **block_state(db.session(), viewer.id, people),
    )


def _render_index(form: StartForm) -> str:
    person, search = current_person(), request.args.get("q", "")
    if search:
        count_use(SEARCHES, person.id)
    conversations = list_direct_conversations(db.session(), person.id, limit=MAX_LISTED_CONVERSATIONS)
    return render_template(
        "direct/index.html",
        items=conversation_items(person, conversations),
        last_messages=list_last_messages(db.session(), conversations),
        max_others=MAX_PEOPLE - 1,
        search=search,
        people=search_people(db.session(), search),
        form=form,
        selected=frozenset(form.person.data or ()),
    )


def _find_user_id(name: str) -> int:
    (person,) = find_named(db.session(), [name])
    return person.id
