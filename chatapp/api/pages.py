"""The pages about the API: one's tokens, and a page to try it."""

from http import HTTPStatus

from flask import Blueprint, Response, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from chatapp.api import service
from chatapp.api.document import openapi
from chatapp.api.forms import TokenForm
from chatapp.api.presenting import answer
from chatapp.api.queries import list_tokens
from chatapp.extensions import db, limiter
from chatapp.identity import current_person, login_required
from chatapp.presentation.urls import ID

blueprint = Blueprint("api_pages", __name__)


@blueprint.get("/api/openapi.json")
def document() -> Response:
    """Give the OpenAPI document, to anybody: it tells of no person and no conversation."""
    return answer(openapi())


@blueprint.get("/api/docs")
@login_required
def docs() -> str:
    """Show the document, with forms to try what it describes."""
    return render_template("api/docs.html")


@blueprint.get("/settings/tokens")
@login_required
def tokens() -> str:
    """Show one's tokens."""
    return _render_tokens(TokenForm(formdata=None))


@blueprint.post("/settings/tokens")
@login_required
@limiter.limit("20/minute")
def create() -> tuple[str, HTTPStatus]:
    """Make a token; it is shown this once."""
    form, token = TokenForm(), None
    with form.show_errors():
        if form.validate():
            token = service.create_token(current_person().actor, form.text(form.name), form.text(form.scope))
    return _render_tokens(TokenForm(formdata=None) if token else form, token), form.status


@blueprint.post(f"/settings/tokens/<{ID}:token_id>/revoke")
@login_required
def revoke(token_id: int) -> AnyResponse:
    """Revoke a token."""
    service.revoke_token(current_person().actor, token_id)
    flash("The token is revoked: it does nothing any more.")
    return redirect(url_for("api_pages.tokens"))


def _render_tokens(form: TokenForm, token: str | None = None) -> str:
    return render_template(
        "api/tokens.html", tokens=list_tokens(db.session(), current_person().id), form=form, token=token
    )
