"""The messages that the user has saved."""

from flask import Blueprint, Response

from chatapp.api import resources
from chatapp.api.access import current_caller, protect
from chatapp.api.document import CONVERSATION_ERRORS, WRITE_ERRORS, describe
from chatapp.api.responses import list_fields, make_links, respond
from chatapp.api.routes import MESSAGE, parse_conversation, parse_message_number
from chatapp.api.schemas import CursorQuery
from chatapp.extensions import db
from chatapp.presentation.messages import isoformat, present_message_data
from chatapp.timeline.saved import SavedEntry, count_saved, read_saved, save

blueprint = Blueprint("api_saved", __name__, url_prefix="/api")
protect(blueprint)

TAG = "Saved messages"


@blueprint.get("/saved")
@describe(resources.SavedMessages, tag=TAG, query=CursorQuery)
def list_saved(query: CursorQuery) -> Response:
    """List the messages that you have saved, the last one first. Nobody else can see them."""
    user_id = current_caller().actor.user_id
    page = read_saved(db.session(), user_id, before=query.before, after=query.after, limit=query.limit)
    links = make_links(query, page)
    body: resources.SavedMessages = {
        **list_fields(count_saved(db.session(), user_id), query, links),
        "saved": [_present(entry) for entry in page.items],
    }
    return respond(body, Link=links.header)


@blueprint.put(f"{MESSAGE}/saved")
@describe(resources.SavedState, *CONVERSATION_ERRORS, *WRITE_ERRORS, tag=TAG)
def save_message(conversation: str, seq: str) -> Response:
    """Save a message. The number of messages that you can save is limited."""
    return _save(conversation, seq, on=True)


@blueprint.delete(f"{MESSAGE}/saved")
@describe(resources.SavedState, *CONVERSATION_ERRORS, *WRITE_ERRORS, tag=TAG)
def remove_saved_message(conversation: str, seq: str) -> Response:
    """Remove a message from those that you have saved, also one that you may no longer read."""
    return _save(conversation, seq, on=False)


def _save(conversation: str, seq: str, *, on: bool) -> Response:
    ref, number = parse_conversation(conversation), parse_message_number(seq)
    save(ref, current_caller().actor, number, on=on)
    body: resources.SavedState = {"conversation": ref.wire_name, "seq": number, "is_saved": on}
    return respond(body)


def _present(entry: SavedEntry) -> resources.SavedMessage:
    return {
        "id": entry.id,
        "conversation": entry.ref.wire_name,
        "seq": entry.seq,
        "saved_at": isoformat(entry.saved_at),
        "message": None if entry.message is None else present_message_data(entry.message),
    }
