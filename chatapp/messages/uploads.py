"""Resumable uploads over HTTP: tus 1.0 (https://tus.io/protocols/resumable-upload).

Only creating an upload needs a login session. The id is secret: who has it may send bytes, also during an outage of the
database.
"""

import base64
import binascii
import re
from http import HTTPStatus

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import ClientDisconnected, UnsupportedMediaType

from chatapp.config import current_settings
from chatapp.errors import FileTooLarge, Invalid
from chatapp.extensions import csrf
from chatapp.files.uploads import MB, append, create_upload, delete_upload, find_upload, resume
from chatapp.identity import current_person
from chatapp.presentation.uploads import present_upload

blueprint = Blueprint("uploads", __name__)

VERSION = "1.0.0"

CONTENT_TYPE = "application/offset+octet-stream"

_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


@blueprint.before_request
def check_version() -> Response | None:
    """Refuse clients of other versions of the protocol. A program may omit the header."""
    if request.headers.get("Tus-Resumable", VERSION) == VERSION:
        return None
    return Response(status=HTTPStatus.PRECONDITION_FAILED, headers={"Tus-Version": VERSION})


@blueprint.after_request
def add_version(response: Response) -> Response:
    """Name the version of the protocol."""
    response.headers["Tus-Resumable"] = VERSION
    return response


@blueprint.route("/uploads", methods=["OPTIONS"])
def describe() -> Response:
    """Return what the server supports."""
    headers = {
        "Tus-Version": VERSION,
        "Tus-Extension": "creation,termination",
        "Tus-Max-Size": str(current_settings().max_file_mb * MB),
    }
    return Response(status=HTTPStatus.NO_CONTENT, headers=headers)


@blueprint.post("/uploads")
def create() -> Response:
    """Begin an upload."""
    upload = present_upload(create_upload(current_person().id, _parse_name(), _parse_number("Upload-Length")))
    response = jsonify(upload=upload)
    response.status_code = HTTPStatus.CREATED
    response.headers["Location"] = upload["url"]
    return response


@blueprint.route("/uploads/<upload_id>", methods=["HEAD"])
def show(upload_id: str) -> Response:
    """Return the offset at which an upload continues."""
    upload = resume(upload_id)
    return Response(headers={"Upload-Offset": str(upload.offset), "Upload-Length": str(upload.size)})


@blueprint.patch("/uploads/<upload_id>")
def add(upload_id: str) -> Response:
    """Add bytes to an upload. The response with its size as offset means that it is complete."""
    if request.mimetype != CONTENT_TYPE:
        raise UnsupportedMediaType
    offset, length = _parse_number("Upload-Offset"), request.content_length or 0
    if offset + length > find_upload(upload_id).size:
        raise FileTooLarge("The request has more bytes than the upload.")
    new_offset = append(upload_id, offset, _read)
    if new_offset < offset + length:
        raise ClientDisconnected
    return Response(status=HTTPStatus.NO_CONTENT, headers={"Upload-Offset": str(new_offset)})


@blueprint.delete("/uploads/<upload_id>")
def delete(upload_id: str) -> Response:
    """Remove an upload."""
    delete_upload(upload_id)
    return Response(status=HTTPStatus.NO_CONTENT)


for view in (add, delete):
    csrf.exempt(view)  # They need no cookie.


def _read(size: int) -> bytes:
    try:
        return request.stream.read(size)
    except OSError as error:
        raise ClientDisconnected from error


def _parse_number(header: str) -> int:
    value = request.headers.get(header, "")
    if not _NUMBER.fullmatch(value):
        raise Invalid(f"The header {header} must be a number.")
    return int(value)


def _parse_name() -> str:
    """Return the file name in `Upload-Metadata`: pairs of a key and its value in Base64, separated by commas."""
    for pair in request.headers.get("Upload-Metadata", "").split(","):
        key, _, value = pair.strip().partition(" ")
        if key == "filename":
            try:
                return base64.b64decode(value.strip(), validate=True).decode()
            except (binascii.Error, ValueError):
                raise Invalid("The file name in Upload-Metadata must be UTF-8 in Base64.") from None
    return ""
