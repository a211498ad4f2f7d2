"""Compiled templates."""

from pathlib import Path

import pytest
from jinja2 import Environment
from markupsafe import Markup, escape

from chatapp import create_app
from chatapp.config import Settings
from chatapp.presentation.templates import load_templates


class Html:
    """An object that renders itself."""

    def __html__(self) -> str:
        return "<i>&amp;</i>"


class SafeText(Markup):
    """A subclass of the class for HTML."""


def test_templates_escape_every_value_as_the_library_does(tmp_path: Path) -> None:
    values = ["<b>'\"&", Markup("<b>&amp;</b>"), SafeText("<b>"), Html(), 7, -1, True, None, 1.5, ["<"], ("&",)]
    app = create_app(Settings(data_dir=tmp_path))
    template = app.jinja_env.from_string("{% for value in values %}{{ value }}|{% endfor %}")
    assert template.render(values=values) == "".join(f"{escape(value)}|" for value in values)


@pytest.mark.usefixtures("bundle")
def test_templates_are_compiled_once_for_all_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data_dir=tmp_path)
    load_templates(create_app(settings))

    def fail(*_arguments: object) -> None:
        raise AssertionError("a template is compiled again")

    monkeypatch.setattr(Environment, "_compile", fail)
    app = create_app(settings)
    load_templates(app)
    assert "<html" in app.test_client().get("/sign-in").text


def test_templates_output_no_indentation_but_values_as_they_are(tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path))
    template = app.jinja_env.from_string("<p>\n    one <b>two</b>\n\n    {{ value }} </p>")
    assert template.render(value="a\n    b") == "<p>\none <b>two</b>\na\n    b </p>"
