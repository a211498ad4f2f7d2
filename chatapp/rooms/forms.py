"""The forms of rooms."""

from wtforms import RadioField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length

from chatapp.conversations.service import MAX_ROOM_NAME_CHARS, MAX_TOPIC_CHARS
from chatapp.presentation.forms import Form


class RoomForm(Form):
    """A room's name, topic and visibility."""

    name = StringField("Name", [InputRequired("Enter a name."), Length(max=MAX_ROOM_NAME_CHARS)])
    topic = StringField("Topic", [Length(max=MAX_TOPIC_CHARS)])
    visibility = RadioField(
        "Visibility",
        choices=[("open", "Open: everyone can join"), ("private", "Private: by invitation only")],
        default="open",
    )


class NewRoomForm(RoomForm):
    """A new room, and the users to add to it. A field without a value is one for a username, left empty."""

    username = SelectMultipleField(
        "People", validate_choice=False, choices=[], filters=[lambda names: [name for name in names or () if name]]
    )


class InviteForm(Form):
    """The users to add."""

    username = SelectMultipleField(
        "People", [InputRequired("Choose at least one person.")], validate_choice=False, choices=[]
    )
