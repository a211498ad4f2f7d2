"""The forms of rooms."""

from wtforms import RadioField, StringField
from wtforms.validators import InputRequired, Length

from chatapp.presentation.forms import Form
from chatapp.rooms.service import NAME_LENGTH, TOPIC_LENGTH


class RoomForm(Form):
    """A room's name, topic and visibility."""

    name = StringField("Name", [InputRequired("Enter a name."), Length(max=NAME_LENGTH)])
    topic = StringField("Topic", [Length(max=TOPIC_LENGTH)])
    visibility = RadioField(
        "Visibility",
        choices=[("open", "Open: everyone can join"), ("private", "Private: by invitation only")],
        default="open",
    )


class InviteForm(Form):
    """The user to add."""

    username = StringField("Username", [InputRequired("Enter a username."), Length(max=64)])
