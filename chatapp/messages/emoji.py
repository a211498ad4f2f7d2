"""Custom emoji: their list for the pages' picker, and their images."""

from flask import Blueprint, Response, jsonify, request

from chatapp.custom_emoji.queries import get_image_file, list_images
from chatapp.extensions import db
from chatapp.identity import current_person, login_required
from chatapp.presentation.emoji import present_emoji
from chatapp.web.caching import revalidated
from chatapp.web.downloads import parse_variant, send_file

blueprint = Blueprint("emoji", __name__)


@blueprint.get("/emoji.json")
@login_required
@revalidated
def index() -> Response:
    """List the custom emoji."""
    current_person()
    return jsonify([present_emoji(each) for each in list_images(db.session())])


@blueprint.get("/emoji/<digest>")
@login_required
def show(digest: str) -> Response:
    """Send the image of a custom emoji, or with `size` one that does not move."""
    current_person()
    variant = parse_variant(request.args.get("size", ""))
    return send_file(get_image_file(db.session(), digest), variant)
