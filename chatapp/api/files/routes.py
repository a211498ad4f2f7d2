"""The files of messages."""

from flask import Blueprint, Response

from chatapp.api.access import current_caller, protect
from chatapp.api.document import CONVERSATION_ERRORS, describe
from chatapp.api.routes import CONVERSATION, parse_conversation
from chatapp.api.schemas import FileQuery
from chatapp.conversations.queries import find_access
from chatapp.extensions import db
from chatapp.timeline.files import get_file
from chatapp.web.downloads import send_file

blueprint = Blueprint("api_files", __name__, url_prefix="/api")
protect(blueprint)


@blueprint.get(f"{CONVERSATION}/files/<digest>/<name>")
@describe(None, *CONVERSATION_ERRORS, query=FileQuery, is_file=True)
def download_file(conversation: str, digest: str, name: str, query: FileQuery) -> Response:
    """Download a file of a conversation's messages. A download can be resumed with `Range` and `If-Range`."""
    ref = parse_conversation(conversation)
    access = find_access(db.session(), ref, current_caller().actor.user_id)
    return send_file(get_file(db.session(), access, digest, name), query.size or "")
