"""The form for a new API token."""

from wtforms import RadioField, StringField
from wtforms.validators import InputRequired, Length

from chatapp.api.tokens.service import MAX_NAME_CHARS
from chatapp.presentation.forms import Form


class TokenForm(Form):
    """Name and access of a new token."""

    name = StringField("Name", [InputRequired("Enter a name for the token."), Length(max=MAX_NAME_CHARS)])
    scope = RadioField("Access", choices=[("read", "Read only"), ("write", "Read and write")], default="read")
