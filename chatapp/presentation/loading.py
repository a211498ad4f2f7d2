"""Loading what the database has for all pages into a process: custom emoji, and the pictures of assistants."""

from flask import Flask

from chatapp.conversations.avatars import list_assistant_pictures
from chatapp.conversations.signals import assistant_pictures_changed
from chatapp.custom_emoji.queries import list_images
from chatapp.custom_emoji.signals import custom_emoji_changed
from chatapp.extensions import db
from chatapp.signals import EXTENSION as SIGNALS
from chatapp.signals import Signals


def load_images(app: Flask) -> None:
    """Show the custom emoji and the pictures of assistants that the database has. Raises errors of the database."""
    signals: Signals = app.extensions[SIGNALS]
    with app.app_context():
        signals.send(custom_emoji_changed, list_images(db.session()))
        signals.send(assistant_pictures_changed, list_assistant_pictures(db.session()))
