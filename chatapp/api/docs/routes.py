"""The OpenAPI document, and a page on which to try the API."""

from flask import Blueprint, Response, render_template

from chatapp.api.document import openapi
from chatapp.api.responses import respond
from chatapp.identity import login_required

blueprint = Blueprint("api_docs", __name__)


@blueprint.get("/api/openapi.json")
def document() -> Response:
    """Return the OpenAPI document. It is public, since it contains no data of the installation."""
    return respond(openapi())


@blueprint.get("/api/docs")
@login_required
def show() -> str:
    """Show the document with forms that send requests."""
    return render_template("api/docs.html")
