"""The messages that mention the user."""

from flask import Blueprint, Response

from chatapp.api import resources
from chatapp.api.access import current_caller, protect
from chatapp.api.document import describe
from chatapp.api.responses import list_fields, make_links, respond
from chatapp.api.schemas import MentionsQuery
from chatapp.extensions import db
from chatapp.presentation.messages import present_message_data
from chatapp.timeline import mention_inbox

blueprint = Blueprint("api_mentions", __name__, url_prefix="/api")
protect(blueprint)


@blueprint.get("/mentions")
@describe(resources.Mentions, tag="Mentions", query=MentionsQuery)
def list_mentions(query: MentionsQuery) -> Response:
    """List the messages that mention you, by name or with `@all`, in the conversations that you are in."""
    page, total = mention_inbox.list_mentions(
        db.session(),
        current_caller().actor.user_id,
        before=None if query.before is None else str(query.before),
        after=None if query.after is None else str(query.after),
        limit=query.limit,
        only_unread=query.only is not None,
    )
    links = make_links(query, page)
    body: resources.Mentions = {
        **list_fields(total, query, links),
        "mentions": [
            {"message": present_message_data(mention.message), "is_unread": mention.is_unread} for mention in page.items
        ],
    }
    return respond(body, Link=links.header)
