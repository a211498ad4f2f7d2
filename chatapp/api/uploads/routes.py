"""Beginning an upload. Its bytes go to its URL, as those of a page do: see `chatapp.messages.uploads`."""

from http import HTTPStatus

from flask import Blueprint, Response

from chatapp.api.access import current_caller, protect
from chatapp.api.document import describe
from chatapp.api.responses import respond
from chatapp.api.schemas import UploadCreate
from chatapp.errors import FileTooLarge, QuotaExceeded, StorageFull
from chatapp.files.uploads import create_upload
from chatapp.presentation.resources import Upload
from chatapp.presentation.uploads import present_upload

blueprint = Blueprint("api_uploads", __name__, url_prefix="/api")
protect(blueprint)


@blueprint.post("/uploads")
@describe(
    Upload,
    FileTooLarge,
    QuotaExceeded,
    StorageFull,
    tag="Files",
    status=HTTPStatus.CREATED,
    json=UploadCreate,
)
def create(json: UploadCreate) -> Response:
    """Begin an upload, and send its bytes to `url` with the protocol tus 1.0.

    That is `PATCH` with the headers `Tus-Resumable: 1.0.0`, `Upload-Offset: 0` and `Content-Type:
    application/offset+octet-stream`. When it is complete, a message can have the file.
    """
    upload = present_upload(create_upload(current_caller().actor.user_id, json.name, json.size))
    return respond(upload, HTTPStatus.CREATED, Location=upload["url"])
