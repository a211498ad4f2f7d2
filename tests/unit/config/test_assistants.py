"""The file that configures the assistants."""

from pathlib import Path

import pytest
from flask import Flask

from chatapp.config import Settings
from chatapp.config.assistants import (
    BUILT_IN_ASSISTANT,
    EXTENSION,
    OpenAIConfig,
    find_assistant,
    list_assistants,
    load_assistants,
)

OPENAI = '[[assistant]]\nname = "m"\nprovider = { kind = "openai", model = "x", api_key_env = "MODEL_SERVER_KEY" }'


def load(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "assistants.toml").write_text(text)
    return list(load_assistants(Settings(data_dir=tmp_path)))


def test_without_a_file_there_is_the_built_in_assistant(tmp_path: Path) -> None:
    assert load_assistants(Settings(data_dir=tmp_path)) == {"helper": BUILT_IN_ASSISTANT}


def test_a_file_lists_the_assistants_in_their_order(tmp_path: Path) -> None:
    assert load(tmp_path, '[[assistant]]\nname = "zoe"\n[[assistant]]\nname = "adam"\n') == ["zoe", "adam"]


def test_names_keep_their_case_and_are_compared_without_it(tmp_path: Path) -> None:
    text = '[[assistant]]\nname = " BOT-001 "\n[[assistant]]\nname = "code_review"\n'
    assert load(tmp_path, text) == ["bot-001", "code_review"]
    assistants = load_assistants(Settings(data_dir=tmp_path))
    assert [assistant.name for assistant in assistants.values()] == ["BOT-001", "code_review"]
    app = Flask(__name__)
    app.extensions[EXTENSION] = assistants
    with app.app_context():
        for name in ("BOT-001", "bot-001", " Bot-001 "):
            assert find_assistant(name) is assistants["bot-001"]
        assert find_assistant("BOT-002") is None
        assert list_assistants("bOt") == [assistants["bot-001"]]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nonsense", "Expected '='"),
        ("", "assistant: Field required"),
        ('[[assistant]]\nname = "Two Words"', "assistant.0.name: Value error, a name has 1 to 32"),
        ('[[assistant]]\nname = "all"', "assistant.0.name"),
        ('[[assistant]]\nname = "a"\nunknown = 1', "assistant.0.unknown: Extra inputs are not permitted"),
        ('[[assistant]]\nname = "a"\n[[assistant]]\nname = "a"', "two assistants have the same name"),
        ('[[assistant]]\nname = "a"\n[[assistant]]\nname = "A"', "two assistants have the same name"),
        ('[[assistant]]\nname = "a"\nprovider = { kind = "other" }', "assistant.0.provider"),
        ('[[assistant]]\nname = "a"\nprovider = { kind = "openai" }', "assistant.0.provider.openai.model"),
    ],
)
def test_an_invalid_file_ends_the_process_with_the_problem(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(SystemExit) as ended:
        load(tmp_path, text)
    assert str(tmp_path / "assistants.toml") in str(ended.value)
    assert problem in str(ended.value)


def test_the_api_key_is_read_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "assistants.toml").write_text(OPENAI)
    provider = load_assistants(Settings(data_dir=tmp_path))["m"].provider
    assert isinstance(provider, OpenAIConfig)
    assert provider.effective_api_key == "none"
    monkeypatch.setenv("MODEL_SERVER_KEY", "sk-1")
    assert provider.effective_api_key == "sk-1"


@pytest.mark.parametrize("prefix", ["", "h", "HELP", "helper"])
def test_assistants_are_listed_by_prefix(prefix: str) -> None:
    app = Flask(__name__)
    app.extensions[EXTENSION] = {"helper": BUILT_IN_ASSISTANT}
    with app.app_context():
        assert list_assistants(prefix) == [BUILT_IN_ASSISTANT]
        assert list_assistants(prefix + "x") == []
