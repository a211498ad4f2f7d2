"""The files of messages, and the page that lists those of a conversation."""

from flask import Blueprint, Response, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from chatapp.conversations.avatars import get_conversation_avatar
from chatapp.conversations.policy import authorize_reading
from chatapp.conversations.queries import find_access
from chatapp.conversations.refs import parse_ref
from chatapp.extensions import db
from chatapp.identity import current_person, login_required
from chatapp.presentation.files import KIND_LABELS, show_file
from chatapp.presentation.kinds import pages_of
from chatapp.timeline.file_list import read_files
from chatapp.timeline.files import get_file
from chatapp.web.caching import revalidated
from chatapp.web.downloads import send_file
from chatapp.web.files_origin import respond_with_requested

blueprint = Blueprint("files", __name__)

PAGE_SIZE = 60
"""Number of files on a page. Rows of 2 to 6 pictures are full."""


@blueprint.get("/conversations/<conversation>/files")
@login_required
@revalidated
def index(conversation: str) -> str:
    """Show the files of a conversation, newest first, or those of one `kind`."""
    readable = authorize_reading(*find_access(db.session(), parse_ref(conversation), current_person().id))
    kind = request.args.get("kind")
    listed = read_files(db.session(), readable, kind=kind, after=request.args.get("after"), limit=PAGE_SIZE)
    (page,) = pages_of(db.session(), [readable], current_person().id)
    return render_template(
        "messages/files.html",
        page=page,
        conversation=readable,
        kind=kind,
        kinds=KIND_LABELS,
        shown=[(each, show_file(each.file, readable.wire_name)) for each in listed.items],
        next=listed.next,
    )


@blueprint.get("/conversations/<conversation>/files/<digest>/<name>")
@login_required
def show(conversation: str, digest: str, name: str) -> BaseResponse:
    """Send a file of a conversation's messages, or with `size` a thumbnail of it. With `download` browsers save it."""
    reader_id = current_person().id
    file = get_file(db.session(), find_access(db.session(), parse_ref(conversation), reader_id), digest, name)
    return respond_with_requested(file, reader_id=reader_id)


@blueprint.get("/conversations/<conversation>/avatar/<digest>")
@login_required
def show_avatar(conversation: str, digest: str) -> Response:
    """Send the picture of a room or an assistant."""
    access = find_access(db.session(), parse_ref(conversation), current_person().id)
    return send_file(get_conversation_avatar(access, digest))
