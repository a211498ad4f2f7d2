"""The form of webhooks."""

from wtforms import StringField
from wtforms.validators import InputRequired, Length

from chatapp.presentation.forms import Form


class WebhookForm(Form):
    """What a webhook is called, and where it is."""

    name = StringField("Name", [InputRequired("A webhook needs a name."), Length(max=32)])
    url = StringField("Address", [InputRequired("Where are messages to be sent?"), Length(max=500)])
