"""The forms of rooms."""

from wtforms import RadioField, StringField
from wtforms.validators import InputRequired, Length

from chatapp.presentation.forms import Form
from chatapp.rooms.service import NAME_LENGTH, TOPIC_LENGTH


class RoomForm(Form):
    """A room's name, topic and visibility."""

    name = StringField("Name", [InputRequired("A room needs a name."), Length(max=NAME_LENGTH)])
    topic = StringField("Topic", [Length(max=TOPIC_LENGTH)])
    visibility = RadioField(
        "Who can join?",
        choices=[("open", "Open: anybody here may join"), ("private", "Private: by invitation")],
        default="open",
    )


class InviteForm(Form):
    """Whom to invite."""

    username = StringField("Username", [InputRequired("Whom do you want to invite?"), Length(max=64)])
