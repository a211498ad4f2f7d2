"""Pictures of people, rooms and assistants."""

from flask import Blueprint, Response

from chatapp.api import resources
from chatapp.api.access import current_caller, protect
from chatapp.api.document import CONVERSATION_ERRORS, describe
from chatapp.api.responses import respond
from chatapp.api.routes import CONVERSATION, parse_conversation
from chatapp.api.schemas import AvatarUpdate
from chatapp.conversations.avatars import (
    authorize_avatar,
    change_avatar,
    change_own_avatar,
    get_conversation_avatar,
    get_person_avatar,
)
from chatapp.conversations.queries import find_access
from chatapp.errors import Archived, InvalidUpload, NotFound, StorageFull, TooComplex
from chatapp.extensions import db
from chatapp.files.avatars import store_avatar
from chatapp.presentation.avatars import conversation_avatar_path, person_avatar_path
from chatapp.web.downloads import send_file

blueprint = Blueprint("api_avatars", __name__, url_prefix="/api")
protect(blueprint)

TAG = "Pictures"

UPLOAD_ERRORS = (InvalidUpload, TooComplex, StorageFull)


@blueprint.get("/avatars/<digest>")
@describe(None, NotFound, tag=TAG, is_file=True)
def download_avatar(digest: str) -> Response:
    """Download the picture of a person: a square WebP."""
    return send_file(get_person_avatar(db.session(), digest))


@blueprint.put("/me/avatar")
@describe(resources.Avatar, *UPLOAD_ERRORS, tag=TAG, json=AvatarUpdate)
def put_avatar(json: AvatarUpdate) -> Response:
    """Set your picture to an upload, which must be an image. It is cropped to a square. Null removes your picture."""
    actor = current_caller().actor
    digest = None if json.upload is None else store_avatar(actor.user_id, json.upload)
    change_own_avatar(actor, digest)
    body: resources.Avatar = {"avatar_url": person_avatar_path(digest)}
    return respond(body)


@blueprint.get(f"{CONVERSATION}/avatar/<digest>")
@describe(None, *CONVERSATION_ERRORS, tag=TAG, is_file=True)
def download_conversation_avatar(conversation: str, digest: str) -> Response:
    """Download the picture of a room or an assistant: a square WebP."""
    ref = parse_conversation(conversation)
    return send_file(get_conversation_avatar(find_access(db.session(), ref, current_caller().actor.user_id), digest))


@blueprint.put(f"{CONVERSATION}/avatar")
@describe(resources.Avatar, *CONVERSATION_ERRORS, Archived, *UPLOAD_ERRORS, tag=TAG, json=AvatarUpdate)
def put_conversation_avatar(conversation: str, json: AvatarUpdate) -> Response:
    """Set the picture of a room that you manage, or as an admin that of an assistant, as your own. Null removes it."""
    ref, actor = parse_conversation(conversation), current_caller().actor
    authorize_avatar(db.session(), actor, ref)
    digest = None if json.upload is None else store_avatar(actor.user_id, json.upload)
    change_avatar(actor, ref, digest)
    body: resources.Avatar = {"avatar_url": conversation_avatar_path(ref.wire_name, digest)}
    return respond(body)
