"""Rendering of pages without holding up the event loop."""

from typing import Any

from flask.templating import Environment
from jinja2 import Template

from chatapp.concurrency.cooperation import checkpoint, in_slices


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
