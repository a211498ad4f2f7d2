"""What all forms share."""

from flask_wtf import FlaskForm
from wtforms import Field


class Form(FlaskForm):  # type: ignore[misc]  # the library is not typed
    """A form of ours, with its CSRF token."""

    @staticmethod
    def text(field: Field) -> str:
        """Give what was typed into a field; nothing typed is an empty text."""
        return str(field.data or "")

    def refuse(self, reason: str) -> None:
        """Show above the form why it was not accepted."""
        self.form_errors.append(reason)
