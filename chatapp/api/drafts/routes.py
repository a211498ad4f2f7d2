"""The drafts of the user."""

from flask import Blueprint, Response

from chatapp.api import resources
from chatapp.api.access import current_caller, protect
from chatapp.api.document import CONTENT_ERRORS, CONVERSATION_ERRORS, WRITE_ERRORS, describe
from chatapp.api.responses import list_fields, make_links, respond
from chatapp.api.routes import CONVERSATION, parse_conversation
from chatapp.api.schemas import CursorQuery, DraftUpdate
from chatapp.conversations.refs import ConversationRef
from chatapp.errors import Conflict
from chatapp.extensions import db
from chatapp.timeline.drafts import DraftState, count_drafts, read_drafts, save_draft

blueprint = Blueprint("api_drafts", __name__, url_prefix="/api")
protect(blueprint)

TAG = "Drafts"


@blueprint.get("/drafts")
@describe(resources.Drafts, tag=TAG, query=CursorQuery)
def list_drafts(query: CursorQuery) -> Response:
    """List your drafts, saved last first. Nobody else can see them."""
    user_id = current_caller().actor.user_id
    page = read_drafts(db.session(), user_id, before=query.before, after=query.after, limit=query.limit)
    links = make_links(query, page)
    body: resources.Drafts = {
        **list_fields(count_drafts(db.session(), user_id), query, links),
        "drafts": [_present(each.conversation, each.thread_root, each.draft) for each in page.items],
    }
    return respond(body, Link=links.header)


@blueprint.put(f"{CONVERSATION}/draft")
@describe(resources.Draft, *CONVERSATION_ERRORS, *WRITE_ERRORS, *CONTENT_ERRORS, tag=TAG, json=DraftUpdate)
def put_draft(conversation: str, json: DraftUpdate) -> Response:
    """Save your draft for a conversation, or for a thread in it.

    It is a `conflict` if the draft has another `version` meanwhile, because another device has saved it.
    """
    ref = parse_conversation(conversation)
    saved = save_draft(ref, current_caller().actor, content=json.content, version=json.version, thread_root=json.thread)
    if not saved.is_saved:
        raise Conflict("The draft was saved by another device meanwhile, or sent.")
    return respond(_present(ref, json.thread, saved.draft))


def _present(ref: ConversationRef, thread_root: int | None, draft: DraftState) -> resources.Draft:
    return {
        "conversation": ref.wire_name,
        "thread": thread_root,
        "content": draft.content,
        "version": draft.version,
    }
