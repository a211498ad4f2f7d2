"""The preparation of providers."""

import sys

import pytest
from flask import Flask
from pydantic import HttpUrl

from chatapp.assistants.generation import AnswerGenerator
from chatapp.config.assistants import Assistant, OpenAIConfig


def test_the_library_of_a_provider_is_imported_before_the_first_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "openai", raising=False)
    model = OpenAIConfig(kind="openai", base_url=HttpUrl("http://127.0.0.1:1/v1"), model="talker")
    AnswerGenerator(Flask("test"), {"talker": Assistant(name="talker", title="Talker", provider=model)})
    assert "openai" in sys.modules
