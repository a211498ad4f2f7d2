"""Rendering of pages: fast, and without holding up the event loop."""

import re
from collections.abc import Iterator, MutableMapping
from typing import Any

from flask import Flask
from flask.templating import Environment
from jinja2 import FileSystemBytecodeCache, Template
from jinja2.compiler import CodeGenerator
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from markupsafe import Markup, escape

from chatapp.concurrency.cooperation import checkpoint, in_slices
from chatapp.config import Settings

CACHE_FOLDER = "cache"
"""Folder in the data folder for compiled templates. It may be deleted."""

CACHE_FILES = "__chatapp_%s.cache"
"""Names of the files in it. Change them with the classes below: files of other names hold what was generated before."""

_INDENTATION = re.compile(r"\s*\n\s*")


def escape_quickly(value: object) -> str:
    """Return the same as `escape`, as plain text for numbers.

    Most of what templates output is HTML already, or a number, for which `escape` takes several times as long.
    """
    value_type = type(value)
    if value_type is Markup:
        return value  # type: ignore[return-value]  # mypy does not narrow by `type`
    return str(value) if value_type is int else escape(value)


class QuickCodeGenerator(CodeGenerator):
    """Compiles templates that output values with `escape_quickly`."""

    def _output_child_pre(self, node: Any, frame: Any, finalize: Any) -> None:
        if frame.eval_ctx.volatile or not frame.eval_ctx.autoescape or finalize.src is not None:
            super()._output_child_pre(node, frame, finalize)
        else:
            self.write("environment.escape_quickly(")


class IndentationRemover(Extension):
    """Compiles templates without their indentation: it is a tenth of what a message takes."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """Replace white space with line breaks by one line break, which means the same in HTML."""
        for token in stream:
            value = _INDENTATION.sub("\n", token.value) if token.type == "data" else token.value
            yield Token(token.lineno, token.type, value)


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
    code_generator_class = QuickCodeGenerator
    escape_quickly = staticmethod(escape_quickly)

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """Return the globals of the environment, since no template has its own.

        Jinja would return a `ChainMap` of both, whose use takes a tenth of the time of a page.
        """
        return super().make_globals(d) if d else self.globals


def init_templates(app: Flask, settings: Settings) -> None:
    """Render the templates of an application in slices, and keep what was compiled for the next start."""
    folder = settings.data_dir / CACHE_FOLDER
    folder.mkdir(exist_ok=True)
    app.jinja_environment = SlicedEnvironment
    app.jinja_options = {
        "bytecode_cache": FileSystemBytecodeCache(str(folder), CACHE_FILES),
        "extensions": [IndentationRemover],
        "cache_size": -1,  # Unlimited: there are few templates, and the other cache has a lock, which is green.
        **app.jinja_options,
    }


def load_templates(app: Flask) -> None:
    """Load all templates: to compile one takes up to 40 ms, for which the event loop should not stop later."""
    for name in app.jinja_env.list_templates():
        app.jinja_env.get_template(name)
