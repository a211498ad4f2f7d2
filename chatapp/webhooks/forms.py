"""The forms of webhooks."""

from wtforms import BooleanField, StringField
from wtforms.validators import InputRequired, Length

from chatapp.presentation.forms import Form
from chatapp.webhooks.service import MAX_BOT_NAME_CHARS


class OutgoingWebhookForm(Form):
    """Name, URL and command of an outgoing webhook."""

    name = StringField("Name", [InputRequired("Enter a name."), Length(max=32)])
    url = StringField("URL", [InputRequired("Enter the URL that receives the messages."), Length(max=500)])
    command = StringField("Command (optional)", [Length(max=33)])


class CommandForm(Form):
    """The command of an outgoing webhook that exists."""

    command = StringField("Command", [Length(max=33)])


class IncomingWebhookForm(Form):
    """Name of the bot of an incoming webhook."""

    bot_name = StringField("Bot name", [InputRequired("Enter a name for the bot."), Length(max=MAX_BOT_NAME_CHARS)])
    has_slack_notation = BooleanField("The program writes for Slack: “*bold*”, “<https://…|text>”")
