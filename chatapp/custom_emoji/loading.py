"""Loading the custom emoji of the database into a process."""

from flask import Flask

from chatapp.custom_emoji.queries import list_images
from chatapp.custom_emoji.signals import custom_emoji_changed
from chatapp.extensions import db
from chatapp.signals import EXTENSION as SIGNALS
from chatapp.signals import Signals


def load_custom_emoji(app: Flask) -> None:
    """Show the custom emoji that the database has. Raises errors of the database."""
    signals: Signals = app.extensions[SIGNALS]
    with app.app_context():
        signals.send(custom_emoji_changed, list_images(db.session()))
