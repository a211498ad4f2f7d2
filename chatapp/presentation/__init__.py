"""How things are shown: a message as JSON and HTML, a conversation's page, an error."""

from typing import Any

from flask import Flask, url_for
from flask_login import current_user

from chatapp.config import current_settings
from chatapp.presentation.conversations import sidebar_items
from chatapp.presentation.messages import message_body


def init_presentation(app: Flask) -> None:
    """Give the templates what all of them use."""
    app.jinja_env.filters["message_body"] = message_body
    app.context_processor(_shared)


def _shared() -> dict[str, Any]:
    return {
        "settings": current_settings(),
        "sidebar": sidebar_items(current_user) if current_user.is_authenticated else [],
        "static_url": lambda path: url_for("static", filename=path),
    }
