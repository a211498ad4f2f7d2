"""Compiled templates."""

from pathlib import Path

import pytest
from jinja2 import Environment

from chatapp import create_app
from chatapp.config import Settings
from chatapp.presentation.templates import load_templates


def test_templates_are_compiled_once_for_all_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data_dir=tmp_path)
    load_templates(create_app(settings))

    def fail(*_arguments: object) -> None:
        raise AssertionError("a template is compiled again")

    monkeypatch.setattr(Environment, "_compile", fail)
    app = create_app(settings)
    load_templates(app)
    assert "<html" in app.test_client().get("/sign-in").text
