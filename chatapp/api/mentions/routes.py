"""The messages that mention the user."""

from flask import Blueprint, Response

from chatapp.api import resources
from chatapp.api.access import current_caller, protect
from chatapp.api.document import describe
from chatapp.api.responses import respond_mentions
from chatapp.api.schemas import MentionsQuery
from chatapp.extensions import db
from chatapp.timeline import mention_inbox

blueprint = Blueprint("api_mentions", __name__, url_prefix="/api")
protect(blueprint)


@blueprint.get("/mentions")
@describe(resources.Mentions, tag="Mentions", query=MentionsQuery)
def list_mentions(query: MentionsQuery) -> Response:
    """List the messages that mention you, by name or with `@all`, in the conversations that you are in."""
    page = mention_inbox.list_mentions(
        db.session(),
        current_caller().actor.user_id,
        before=query.before,
        after=query.after,
        limit=query.limit,
        only_unread=query.only is not None,
    )
    return respond_mentions(page, query)
