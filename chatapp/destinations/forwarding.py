"""The page on which a user chooses where a message is forwarded to. The script shows its form as a dialog."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from chatapp.conversations.kinds import kind_of
from chatapp.conversations.people import find_named
from chatapp.conversations.policy import authorize_reading
from chatapp.conversations.queries import find_access
from chatapp.conversations.refs import ConversationRef, direct_ref, parse_ref
from chatapp.conversations.service import open_direct
from chatapp.destinations.queries import list_people, list_writable
from chatapp.errors import ChatError, NotFound
from chatapp.extensions import db
from chatapp.identity import current_person, login_required
from chatapp.limits.rates import SEARCHES, count_use
from chatapp.presentation.avatars import person_avatar_path
from chatapp.presentation.kinds import direct_path, direct_title, pages_of
from chatapp.presentation.quotes import quote_message
from chatapp.presentation.urls import parse_seq
from chatapp.timeline import TimelineMessage, forward, get_message
from chatapp.timeline.client_ids import client_id_of_form
from chatapp.timeline.references import message_path

blueprint = Blueprint("forwarding", __name__)

ROUTE = "/conversations/<conversation>/messages/<seq>/forward"

MAX_TARGETS = 100
"""Maximum number of conversations and people in the list."""


@dataclass(frozen=True, slots=True)
class Target:
    """A conversation, or a person without a direct conversation."""

    name: str
    """The wire name; of a person “@” and the username."""
    title: str
    icon: str
    emoji: str
    presence_of: int | None
    picture: str | None
    detail: str


@blueprint.get(ROUTE)
@login_required
def choose_target(conversation: str, seq: str) -> str:
    """Show a form with the conversations and people that a message can be forwarded to, whose names fit `text`."""
    return _render(_find_message(parse_ref(conversation), parse_seq(seq) or 0))


@blueprint.post(ROUTE)
@login_required
def forward_message(conversation: str, seq: str) -> Response | tuple[str, int]:
    """Forward a message to the conversation `to`, and redirect to the new message. Errors are shown in the form."""
    source, number = parse_ref(conversation), parse_seq(seq) or 0
    message = _find_message(source, number)
    target, comment = request.form.get("to", ""), request.form.get("content", "")
    try:
        posted = forward(
            source,
            number,
            _find_target(target),
            current_person().actor,
            comment=comment,
            client_id=client_id_of_form(request.form.get("form_id", ""), f"{target}\n{comment}"),
        )
    except ChatError as error:
        return _render(message, comment=comment, error=error.message), error.status
    return redirect(message_path(posted.conversation.wire_name, posted.seq or 0), code=303)


def _find_message(ref: ConversationRef, seq: int) -> TimelineMessage:
    readable = authorize_reading(*find_access(db.session(), ref, current_person().id))
    message = get_message(db.session(), readable, seq)
    if message.deleted_at is not None:
        raise NotFound("This message was deleted.")
    return message


def _find_target(name: str) -> ConversationRef:
    """Return the conversation with a wire name, or the direct conversation with a person, which may be new."""
    if not name.startswith("@"):
        return parse_ref(name)
    (person,) = find_named(db.session(), [name.removeprefix("@")])
    return direct_ref(open_direct(current_person().actor, [person.id]).id)


def _render(message: TimelineMessage, *, comment: str = "", error: str | None = None) -> str:
    text = request.values.get("text", "")
    if text:
        count_use(SEARCHES, current_person().id)
    return render_template(
        "destinations/forward.html",
        message=message,
        quote=quote_message(message),
        path=message_path(message.conversation.wire_name, message.seq or 0),
        form_id=str(uuid.uuid4()),
        targets=_list_targets(text),
        text=text,
        chosen=request.form.get("to", ""),
        comment=comment,
        error=error,
    )


def _list_targets(text: str) -> Sequence[Target]:
    viewer_id = current_person().id
    wanted = text.strip().casefold()
    pages = [
        page
        for page in pages_of(db.session(), list_writable(db.session(), viewer_id, text), viewer_id)
        if wanted in page.title.casefold() or not kind_of(page.conversation).is_open_to_all
    ]
    targets = [
        Target(page.conversation.wire_name, page.title, page.icon, page.emoji, page.presence_of, page.picture, "")
        for page in pages
    ]
    known = {page.path for page in pages}
    people = [
        Target(
            f"@{person.username}",
            direct_title([person], viewer_id),
            "person",
            "",
            person.id,
            person_avatar_path(person.avatar_digest),
            f"@{person.username}",
        )
        for person in list_people(db.session(), text)
        if direct_path([person], viewer_id) not in known
    ]
    return [*targets, *people][:MAX_TARGETS]
