"""Forms of assistant sessions."""

from wtforms import StringField
from wtforms.validators import InputRequired, Length

from chatapp.assistants.service import MAX_TITLE_CHARS
from chatapp.assistants.tags import MAX_CATEGORY_CHARS, MAX_TAGS
from chatapp.presentation.forms import Form


class SessionForm(Form):
    """The title, the category and the tags of a session."""

    title = StringField("Title", [InputRequired("A session needs a title."), Length(max=MAX_TITLE_CHARS)])
    category = StringField("Category", [Length(max=MAX_CATEGORY_CHARS)])
    tags = StringField("Tags", description=f"Up to {MAX_TAGS}, separated by commas.")
