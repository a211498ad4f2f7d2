"""The forms of webhooks."""

from wtforms import StringField
from wtforms.validators import InputRequired, Length

from chatapp.presentation.forms import Form


class WebhookForm(Form):
    """What a webhook is called, and where it is."""

    name = StringField("Name", [InputRequired("A webhook needs a name."), Length(max=32)])
    url = StringField("Address", [InputRequired("Where are messages to be sent?"), Length(max=500)])


class IncomingForm(Form):
    """What the bot is called."""

    bot_name = StringField("Name of the bot", [InputRequired("The bot needs a name."), Length(max=64)])
