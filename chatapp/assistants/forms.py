"""The forms of sessions."""

from wtforms import StringField
from wtforms.validators import InputRequired, Length

from chatapp.assistants.service import MAX_TITLE_CHARS
from chatapp.presentation.forms import Form


class TitleForm(Form):
    """What a session is called."""

    title = StringField("Title", [InputRequired("A session needs a title."), Length(max=MAX_TITLE_CHARS)])
