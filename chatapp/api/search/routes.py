"""Searching all messages that the user may read."""

from flask import Blueprint, Response

from chatapp.api import resources
from chatapp.api.access import current_caller, protect
from chatapp.api.document import describe
from chatapp.api.responses import make_search_links, respond
from chatapp.api.schemas import SearchQuery
from chatapp.limits.rates import SEARCHES, count_use
from chatapp.presentation.messages import present_message_data
from chatapp.presentation.quotes import list_words
from chatapp.search.excerpts import Excerpt, make_excerpts
from chatapp.timeline.search import Hit, find_messages

blueprint = Blueprint("api_search", __name__, url_prefix="/api")
protect(blueprint)


@blueprint.get("/search")
@describe(resources.FoundMessages, tag="Search", query=SearchQuery)
def search_messages(query: SearchQuery) -> Response:
    """Find messages that you may read. Dates of the query are in UTC."""
    actor = current_caller().actor
    count_use(SEARCHES, actor.user_id)
    found = find_messages(actor, query.q, before=query.before, limit=query.limit, order=query.order)
    links = make_search_links(query, found.next)
    excerpts = make_excerpts((list_words(hit.message) for hit in found.hits), found.query.terms)
    body: resources.FoundMessages = {
        "limit": query.limit,
        "next": links.next,
        "indexing": found.is_indexing,
        "hints": found.query.hints,
        "messages": [_present(hit, excerpt) for hit, excerpt in zip(found.hits, excerpts, strict=True)],
    }
    return respond(body, Link=links.header)


def _present(hit: Hit, excerpt: Excerpt) -> resources.FoundMessage:
    return {
        "conversation": hit.conversation.ref.wire_name,
        "message": present_message_data(hit.message),
        "excerpt": excerpt.text,
        "matches": [{"begin": begin, "end": end} for begin, end in excerpt.ranges],
    }
