"""The suggestions of the dialog in which people jump to a page."""

from collections import Counter

from flask import Blueprint, render_template, request

from chatapp.conversations.policy import may_read
from chatapp.destinations.queries import MAX_DESTINATIONS, list_destinations, list_people, list_readable_destinations
from chatapp.extensions import db
from chatapp.identity import current_person, login_required
from chatapp.limits.rates import SEARCHES, count_use
from chatapp.presentation.kinds import direct_path, direct_title, pages_of
from chatapp.web.caching import revalidated

blueprint = Blueprint("destinations", __name__)


@blueprint.get("/destinations/people")
@login_required
@revalidated
def people() -> str:
    """Return the HTML of the people whose names fit `text`, for fields in which people are chosen."""
    text = request.args.get("text", "")
    count_use(SEARCHES, current_person().id)
    found = list_people(db.session(), text)
    is_complete = not text and len(found) < MAX_DESTINATIONS
    return render_template("destinations/people.html", people=found, is_complete=is_complete)


@blueprint.get("/destinations/conversations")
@login_required
@revalidated
def conversations() -> str:
    """Return the HTML of the conversations that the user may read, whose names fit `text`, to search in one."""
    viewer, text = current_person(), request.args.get("text", "")
    count_use(SEARCHES, viewer.id)
    found = list_readable_destinations(db.session(), viewer.id, text)
    counts = Counter(conversation.kind for conversation in found)
    return render_template(
        "destinations/conversations.html",
        pages=pages_of(db.session(), found, viewer.id),
        is_complete=not text and max(counts.values(), default=0) < MAX_DESTINATIONS,
    )


@blueprint.get("/destinations")
@login_required
@revalidated
def index() -> str:
    """Return the HTML of the people and conversations that the user can jump to, whose names fit `text`."""
    viewer, text = current_person(), request.args.get("text", "")
    count_use(SEARCHES, viewer.id)
    people = list_people(db.session(), text)
    accesses = list_destinations(db.session(), viewer.id, text)
    conversations = [access.conversation for access in accesses if access.conversation is not None]
    counts = Counter(conversation.kind for conversation in conversations)
    return render_template(
        "destinations/index.html",
        people=[(person, direct_path([person], viewer.id), direct_title([person], viewer.id)) for person in people],
        conversations=list(
            zip(
                pages_of(db.session(), conversations, viewer.id),
                (may_read(*access) for access in accesses),
                strict=True,
            )
        ),
        is_complete=not text and max(len(people), *counts.values(), 0) < MAX_DESTINATIONS,
    )
