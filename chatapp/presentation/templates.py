"""Rendering of pages without holding up the event loop."""

from typing import Any

from flask import Flask
from flask.templating import Environment
from jinja2 import FileSystemBytecodeCache, Template

from chatapp.concurrency.cooperation import checkpoint, in_slices
from chatapp.config import Settings

CACHE_FOLDER = "cache"
"""Folder in the data folder for compiled templates. It may be deleted."""


class SlicedTemplate(Template):
    """A template that is rendered in slices: see `chatapp.concurrency.cooperation`."""

    def render(self, *args: Any, **kwargs: Any) -> str:
        """Render the template."""
        pieces = []
        with in_slices():
            for piece in self.generate(*args, **kwargs):
                pieces.append(piece)
                checkpoint()
        return "".join(pieces)


class SlicedEnvironment(Environment):
    """Flask's environment with sliced templates."""

    template_class = SlicedTemplate


def init_templates(app: Flask, settings: Settings) -> None:
    """Render the templates of an application in slices, and keep what was compiled for the next start."""
    folder = settings.data_dir / CACHE_FOLDER
    folder.mkdir(exist_ok=True)
    app.jinja_environment = SlicedEnvironment
    app.jinja_options = {"bytecode_cache": FileSystemBytecodeCache(str(folder)), **app.jinja_options}


def load_templates(app: Flask) -> None:
    """Load all templates: to compile one takes up to 40 ms, for which the event loop should not stop later."""
    for name in app.jinja_env.list_templates():
        app.jinja_env.get_template(name)
