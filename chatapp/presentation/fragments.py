"""Parts of pages that are rendered once for the same values.

A macro of a template sees nothing but its arguments and the globals of the environment: what is cached for its
arguments is right for every request, person and time. So nothing is ever invalidated.
"""

from functools import lru_cache
from typing import Any

from flask import Flask
from jinja2 import Environment
from markupsafe import Markup

MAX_FRAGMENTS = 5_000
"""Maximum number of cached fragments, most of them of some hundred characters."""


class Fragments:
    """The cached fragments of an application. The one that was used least recently is evicted first."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        # 1 and True are equal, but look different. During development templates change.
        cache = lru_cache(MAX_FRAGMENTS, typed=True)
        self.render = self.render_uncached if environment.auto_reload else cache(self.render_uncached)
        """Render a macro, named by its template and its name, with arguments that are values: no rows, no lists."""

    def render_uncached(self, template: str, macro: str, *arguments: Any) -> Markup:
        """Render a macro with arguments that are long, or that are not used again."""
        library: Any = self._environment.get_template(template).module
        html: Markup = getattr(library, macro)(*arguments)
        return html


def init_fragments(app: Flask) -> None:
    """Give the templates of an application the functions `fragment` and `uncached_fragment`."""
    fragments = Fragments(app.jinja_env)
    app.jinja_env.globals["fragment"] = fragments.render
    app.jinja_env.globals["uncached_fragment"] = fragments.render_uncached
