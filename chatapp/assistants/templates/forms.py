"""Forms of session templates."""

from collections.abc import Mapping

import wtforms
from wtforms import FieldList, FormField, RadioField, SelectField, StringField, SubmitField, TextAreaField
from wtforms.validators import InputRequired, Length

from chatapp.assistants.tags import MAX_CATEGORY_CHARS, MAX_TAGS, split_tags
from chatapp.assistants.templates.service import (
    MAX_FIRST_MESSAGES,
    MAX_NAME_CHARS,
    MAX_PROMPT_CHARS,
    TemplateFields,
)
from chatapp.config.assistants import Assistant
from chatapp.presentation.forms import Form

OWN, SHARED = "own", "shared"


class FirstMessageForm(wtforms.Form):
    """One of the first messages. It is part of `TemplateForm`, which has the CSRF token."""

    role = SelectField("Sender", choices=[("user", "You"), ("assistant", "Assistant")])
    content = TextAreaField("Message")


class TemplateForm(Form):
    """A session template. First messages without text are left out, so that emptying one removes it."""

    name = StringField("Name", [InputRequired("A template needs a name."), Length(max=MAX_NAME_CHARS)])
    assistant = SelectField("Assistant", default="", description="Without one, you choose it when you start a session.")
    prompt = TextAreaField(
        "Instructions",
        [Length(max=MAX_PROMPT_CHARS)],
        description="The assistant receives them in every session that starts with this template.",
    )
    messages = FieldList(FormField(FirstMessageForm), max_entries=MAX_FIRST_MESSAGES)
    add_message = SubmitField("Add message")
    category = StringField("Category", [Length(max=MAX_CATEGORY_CHARS)])
    tags = StringField("Tags", description=f"Up to {MAX_TAGS}, separated by commas.")
    visibility = RadioField("Available to", choices=[(OWN, "Only me"), (SHARED, "Everyone")], default=OWN)

    def offer_assistants(self, assistants: Mapping[str, Assistant]) -> None:
        """Set the assistants to choose from."""
        self.assistant.choices = [
            ("", "Any assistant"),
            *((key, assistant.display_name) for key, assistant in assistants.items()),
        ]

    def add_first_message(self) -> None:
        """Add an empty first message, unless there are as many as possible."""
        if len(self.messages.entries) < MAX_FIRST_MESSAGES:
            self.messages.append_entry()

    def to_fields(self) -> TemplateFields:
        """Return the fields as the service takes them."""
        return {
            "name": self.text(self.name),
            "assistant": self.text(self.assistant),
            "prompt": self.text(self.prompt),
            "messages": [message for message in self.messages.data if (message["content"] or "").strip()],
            "category": self.text(self.category),
            "tags": split_tags(self.text(self.tags)),
        }
