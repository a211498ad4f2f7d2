"""Forms of assistant sessions."""

from wtforms import StringField
from wtforms.validators import InputRequired, Length

from chatapp.assistants.service import MAX_TITLE_CHARS
from chatapp.presentation.forms import Form


class TitleForm(Form):
    """The title of a session."""

    title = StringField("Title", [InputRequired("A session needs a title."), Length(max=MAX_TITLE_CHARS)])
