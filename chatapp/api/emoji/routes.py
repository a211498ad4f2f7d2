"""Custom emoji."""

from http import HTTPStatus

from flask import Blueprint, Response, url_for

from chatapp.actors import require_admin
from chatapp.api import resources
from chatapp.api.access import current_caller, protect
from chatapp.api.document import describe
from chatapp.api.responses import respond
from chatapp.api.schemas import FileQuery, NewEmoji
from chatapp.custom_emoji.queries import find_named_image, list_images
from chatapp.custom_emoji.service import add_emoji, delete_emoji
from chatapp.errors import Conflict, FileTooLarge, InvalidUpload, NotFound
from chatapp.extensions import db
from chatapp.files.uploads import find_complete
from chatapp.presentation.emoji import present_emoji
from chatapp.presentation.resources import CustomEmoji
from chatapp.web.downloads import send_file

blueprint = Blueprint("api_emoji", __name__, url_prefix="/api")
protect(blueprint)

TAG = "Emoji"
EMOJI = "/emoji/<emoji>"


@blueprint.get("/emoji")
@describe(resources.CustomEmojiList, tag=TAG)
def list_custom_emoji() -> Response:
    """List the custom emoji by name."""
    images = list_images(db.session())
    body: resources.CustomEmojiList = {"emoji": [present_emoji(each) for each in images], "total": len(images)}
    return respond(body)


@blueprint.post("/emoji")
@describe(
    CustomEmoji,
    Conflict,
    FileTooLarge,
    InvalidUpload,
    tag=TAG,
    status=HTTPStatus.CREATED,
    json=NewEmoji,
)
def add_custom_emoji(json: NewEmoji) -> Response:
    """Add a custom emoji whose image you have uploaded. Only admins can."""
    actor = current_caller().actor
    require_admin(db.session(), actor)
    (file,) = find_complete(actor.user_id, [json.upload], [""])
    image = add_emoji(actor, json.name, file)
    location = url_for("api_emoji.download_custom_emoji", emoji=image.name)
    return respond(present_emoji(image), HTTPStatus.CREATED, Location=location)


@blueprint.get(EMOJI)
@describe(None, NotFound, tag=TAG, query=FileQuery, is_file=True)
def download_custom_emoji(emoji: str, query: FileQuery) -> Response:
    """Download the image of a custom emoji. A thumbnail does not move."""
    return send_file(find_named_image(db.session(), emoji), query.size or "")


@blueprint.delete(EMOJI)
@describe(None, NotFound, tag=TAG, status=HTTPStatus.NO_CONTENT)
def delete_custom_emoji(emoji: str) -> Response:
    """Delete a custom emoji. Only admins can. Messages and reactions show its name instead."""
    delete_emoji(current_caller().actor, emoji)
    return Response(status=HTTPStatus.NO_CONTENT)
