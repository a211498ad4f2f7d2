"""chatapp: self-hosted chat that never loses a message."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from chatapp.config import Settings


def create_app(settings: "Settings | None" = None, *, is_serving: bool = False) -> "Flask":
    """Create the application from `settings`, or from the environment: see `chatapp.application`."""
    # Worker processes import a small part of chatapp. To import all of it takes them ten times as long.
    from chatapp import application

    return application.create_app(settings, is_serving=is_serving)
