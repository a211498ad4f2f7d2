"""The form that starts a direct conversation."""

from wtforms import SelectMultipleField
from wtforms.validators import InputRequired

from chatapp.presentation.forms import Form


class StartForm(Form):
    """The people to write to, by username."""

    person = SelectMultipleField(
        "People", [InputRequired("Choose at least one person.")], validate_choice=False, choices=[]
    )
