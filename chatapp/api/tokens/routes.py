"""The page of a user's API tokens."""

from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from chatapp.api.tokens import service
from chatapp.api.tokens.forms import TokenForm
from chatapp.api.tokens.queries import list_tokens
from chatapp.errors import Forbidden
from chatapp.extensions import db, get_client_network
from chatapp.identity import current_person, login_required
from chatapp.limits.rates import NEW_TOKENS, count_use
from chatapp.models import now
from chatapp.passwords.confirmation import confirm_password
from chatapp.presentation.urls import ID

blueprint = Blueprint("api_tokens", __name__)


@blueprint.get("/settings/tokens")
@login_required
def index() -> str:
    """Show the user's tokens."""
    return _render(TokenForm(formdata=None))


@blueprint.post("/settings/tokens")
@login_required
def create() -> tuple[str, HTTPStatus]:
    """Create a token and show it once."""
    count_use(NEW_TOKENS, get_client_network())
    form, token = TokenForm(), None
    with form.show_errors(Forbidden):
        if form.validate():
            actor = current_person().actor
            confirm_password(actor, form.text(form.password))
            token = service.create_token(actor, form.text(form.name), form.text(form.scope), form.text(form.days))
    return _render(TokenForm(formdata=None) if token else form, token), form.status


@blueprint.post(f"/settings/tokens/<{ID}:token_id>/revoke")
@login_required
def revoke(token_id: int) -> Response:
    """Revoke a token."""
    service.revoke_token(current_person().actor, token_id)
    flash("The token was revoked.")
    return redirect(url_for("api_tokens.index"))


def _render(form: TokenForm, new_token: str | None = None) -> str:
    return render_template(
        "api/tokens.html",
        tokens=list_tokens(db.session(), current_person().id),
        form=form,
        new_token=new_token,
        now=now,
    )
