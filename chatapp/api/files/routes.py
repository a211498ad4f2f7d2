"""The files of messages."""

from flask import Blueprint, Response
from werkzeug.wrappers import Response as BaseResponse

from chatapp.api import resources
from chatapp.api.access import current_caller, protect
from chatapp.api.document import CONVERSATION_ERRORS, describe
from chatapp.api.responses import list_fields, make_links, respond
from chatapp.api.routes import CONVERSATION, parse_conversation
from chatapp.api.schemas import FileQuery, FilesQuery
from chatapp.conversations.policy import authorize_reading
from chatapp.conversations.queries import find_access
from chatapp.extensions import db
from chatapp.presentation.messages import isoformat, present_file, present_person
from chatapp.timeline.file_list import ListedFile, count_files, read_files
from chatapp.timeline.files import get_file
from chatapp.timeline.references import file_path
from chatapp.web.files_origin import respond_with_file

blueprint = Blueprint("api_files", __name__, url_prefix="/api")
protect(blueprint)

TAG = "Files"


@blueprint.get(f"{CONVERSATION}/files")
@describe(resources.ConversationFiles, *CONVERSATION_ERRORS, tag=TAG, query=FilesQuery)
def list_files(conversation: str, query: FilesQuery) -> Response:
    """List the files of a conversation, newest first."""
    ref = parse_conversation(conversation)
    readable = authorize_reading(*find_access(db.session(), ref, current_caller().actor.user_id))
    page = read_files(
        db.session(), readable, kind=query.kind, before=query.before, after=query.after, limit=query.limit
    )
    links = make_links(query, page)
    body: resources.ConversationFiles = {
        **list_fields(count_files(db.session(), readable, kind=query.kind), query, links),
        "conversation": readable.wire_name,
        "files": [_present_listed(each, readable.wire_name) for each in page.items],
    }
    return respond(body, Link=links.header)


@blueprint.get(f"{CONVERSATION}/files/<digest>/<name>")
@describe(None, *CONVERSATION_ERRORS, tag=TAG, query=FileQuery, is_file=True)
def download_file(conversation: str, digest: str, name: str, query: FileQuery) -> BaseResponse:
    """Download a file of a conversation's messages. A download can be resumed with `Range` and `If-Range`.

    Follow redirects: servers can have another host for files. Such a URL soon expires and needs no token.
    """
    ref, reader_id = parse_conversation(conversation), current_caller().actor.user_id
    file = get_file(db.session(), find_access(db.session(), ref, reader_id), digest, name)
    return respond_with_file(file, query.size or "", reader_id=reader_id)


def _present_listed(listed: ListedFile, conversation: str) -> resources.ConversationFile:
    return {
        "seq": listed.seq,
        "sender": None if listed.sender is None else present_person(listed.sender),
        "sent_at": isoformat(listed.sent_at),
        "file": present_file(listed.file, file_path(conversation, listed.file.digest, listed.file.name)),
    }
