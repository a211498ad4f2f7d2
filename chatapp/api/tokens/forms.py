"""The form for a new API token."""

from wtforms import PasswordField, RadioField, SelectField, StringField
from wtforms.validators import InputRequired, Length

from chatapp.api.tokens.service import LIFETIMES_DAYS, MAX_NAME_CHARS
from chatapp.passwords.confirmation import MAX_PASSWORD_CHARS
from chatapp.presentation.forms import Form


class TokenForm(Form):
    """Name, lifetime and access of a new token, and the user's password."""

    name = StringField("Name", [InputRequired("Enter a name for the token."), Length(max=MAX_NAME_CHARS)])
    days = SelectField("Expires", choices=[(str(days), f"in {days} days") for days in LIFETIMES_DAYS], default="90")
    password = PasswordField("Your password", [InputRequired("Enter your password."), Length(max=MAX_PASSWORD_CHARS)])
    scope = RadioField("Access", choices=[("read", "Read only"), ("write", "Read and write")], default="read")
