"""The base class of all forms."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from flask import render_template
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import Field

from chatapp.errors import ChatError, Conflict, Invalid

ViewResponse = str | Response | tuple[str, HTTPStatus]
"""The response of a view with a form: a page, a redirect, or the page with the refused form and its status."""


class Form(FlaskForm):  # type: ignore[misc]  # the library is not typed
    """A form with a CSRF token, which is shown again when it is refused.

    One rule for every form: the page that shows it again has the status of the error that refused it, as
    `chatapp.errors` assigns it and as the API responds to the same mistake. What a field's validator refuses has the
    status of `Invalid`.
    """

    _error: ChatError | None = None

    @staticmethod
    def text(field: Field) -> str:
        """Return the text of a field; an empty one if nothing was entered."""
        return str(field.data or "")

    @contextmanager
    def show_errors(self, *also: type[ChatError]) -> Iterator[None]:
        """Catch `Invalid`, `Conflict` and the errors in `also`, and show them above the form."""
        shown: tuple[type[ChatError], ...] = (Invalid, Conflict, *also)
        try:
            yield
        except shown as error:
            self.refuse(error)

    def refuse(self, error: ChatError) -> None:
        """Show an error above the form."""
        self._error = error
        self.form_errors.append(error.message)

    @property
    def status(self) -> HTTPStatus:
        """The status of the page that shows the form."""
        if self._error is not None:
            return self._error.status
        return Invalid.status if self.errors else HTTPStatus.OK

    def page(self, template: str, **context: object) -> tuple[str, HTTPStatus]:
        """Render the page that shows the form, with the errors if it has any."""
        return render_template(template, form=self, **context), self.status
