"""The page that searches all messages. It works without JavaScript; with it, the results follow what is typed."""

from flask import Blueprint, Response, jsonify, render_template, request

from chatapp.errors import Invalid
from chatapp.extensions import db
from chatapp.identity import current_person, login_required
from chatapp.limits.rates import SEARCH_COUNTS, SEARCHES, count_use
from chatapp.presentation.reader_clock import current_clock
from chatapp.presentation.search import describe_filters, list_filters, present_hits
from chatapp.presentation.urls import parse_seq
from chatapp.search.query import MAX_QUERY_CHARS
from chatapp.timeline.index_search import MAX_COUNT
from chatapp.timeline.search import Order, count_messages, find_messages

blueprint = Blueprint("search", __name__)

PAGE_SIZE = 20
"""Number of messages on a page."""


@blueprint.get("/search")
@login_required
def index() -> str:
    """Show the messages that the user searches: the newest first, or the best ones."""
    shown = _search()
    return render_template("messages/search.html", described=describe_filters(current_clock().today()), **shown)


@blueprint.get("/search/results")
@login_required
def results() -> str:
    """Return only the part of the page that follows what is typed."""
    return render_template("messages/_search_results.html", **_search())


def _search() -> dict[str, object]:
    words, order, viewer, clock = _parse_words(), _parse_order(), current_person(), current_clock()
    shown: dict[str, object] = {"words": words, "order": order, "filters": list_filters(words, clock.today())}
    if not words.strip():
        return shown
    count_use(SEARCHES, viewer.id)
    before = parse_seq(request.args.get("before"), "before")
    hits = find_messages(viewer.actor, words, before=before, limit=PAGE_SIZE, order=order, zone=clock.zone)
    return shown | {"hits": hits, "found": present_hits(db.session(), hits, viewer.id), "before": before}


@blueprint.get("/search/count")
@login_required
def count() -> Response:
    """Return the number of messages that a search finds, and whether there are more than can be counted."""
    viewer = current_person()
    count_use(SEARCH_COUNTS, viewer.id)
    number = count_messages(viewer.actor, _parse_words(), zone=current_clock().zone)
    return jsonify(count=min(number, MAX_COUNT), has_more=number > MAX_COUNT)


def _parse_words() -> str:
    # A space at the end matters: the last word is complete then.
    return request.args.get("q", "").replace("\0", " ").lstrip()[:MAX_QUERY_CHARS]


def _parse_order() -> Order:
    order = request.args.get("order", "newest")
    if order == "newest":
        return "newest"
    if order == "best":
        return "best"
    raise Invalid("order must be newest or best.")
