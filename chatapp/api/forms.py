"""The form of API tokens."""

from wtforms import RadioField, StringField
from wtforms.validators import InputRequired, Length

from chatapp.api.service import NAME_LENGTH
from chatapp.presentation.forms import Form


class TokenForm(Form):
    """What a token is for, and what it may do."""

    name = StringField("Name", [InputRequired("A token needs a name."), Length(max=NAME_LENGTH)])
    scope = RadioField(
        "What may it do?", choices=[("read", "Read"), ("write", "Read and write, in your name")], default="read"
    )
