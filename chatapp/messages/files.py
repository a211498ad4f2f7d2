"""The files of messages."""

from flask import Blueprint, Response, request

from chatapp.conversations.queries import find_access
from chatapp.conversations.refs import parse_ref
from chatapp.extensions import db
from chatapp.identity import current_person, login_required
from chatapp.timeline.files import get_file
from chatapp.web.downloads import parse_variant, send_file

blueprint = Blueprint("files", __name__)


@blueprint.get("/conversations/<conversation>/files/<digest>/<name>")
@login_required
def show(conversation: str, digest: str, name: str) -> Response:
    """Send a file of a conversation's messages, or with `size` a thumbnail of it."""
    variant = parse_variant(request.args.get("size", ""))
    access = find_access(db.session(), parse_ref(conversation), current_person().id)
    return send_file(get_file(db.session(), access, digest, name), variant)
