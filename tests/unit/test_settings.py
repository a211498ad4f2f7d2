"""Settings, the secret that they keep, and the table that tells of them."""

import os
import re
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from chatapp.config import Settings, load_settings
from tests.harness.servers import ROOT, clean_environment


def variable(field: FieldInfo) -> str:
    alias = field.validation_alias
    return str(alias.choices[0] if isinstance(alias, AliasChoices) else alias)


VARIABLES = {variable(field): field for field in Settings.model_fields.values()}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CHATAPP_DATA_DIR", str(tmp_path / "data"))


def test_every_setting_stands_in_the_readme_with_its_default_and_nothing_else_does() -> None:
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.*?) \|", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert rows.keys() == VARIABLES.keys()
    for name in VARIABLES.keys() - {"DATABASE_URL", "REDIS_URL", "CHATAPP_DATA_DIR", "CHATAPP_ASSISTANTS"}:
        default = VARIABLES[name].default
        shown = (
            str(default).lower()
            if isinstance(default, bool)
            else f"{default:g}"
            if isinstance(default, float)
            else str(default)
        )
        assert rows[name] == f"`{shown}`", name


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"HOST": "0.0.0.0", "PORT": "8080", "CHATAPP_GENERAL_KEEP_LAST": "5", "CHATAPP_LOG_LEVEL": "DEBUG"}  # noqa: S104
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.host, settings.port, settings.general_keep_last, settings.log_level) == (
        "0.0.0.0",  # noqa: S104 - it is not listened on
        8080,
        5,
        "DEBUG",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("PORT", "x"), ("PORT", "65536"), ("CHATAPP_GENERAL_KEEP_LAST", "-1"), ("CHATAPP_MESSAGE_LIMIT", "0")],
        *[("CHATAPP_HEADS_INTERVAL", "0"), ("CHATAPP_LOG_LEVEL", "LOUD"), ("CHATAPP_SECURE_COOKIES", "perhaps")],
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_its_variables_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match=f"{name}: "):
        load_settings()


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "")
    assert Settings().port == Settings.model_fields["port"].default


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_postgresql_is_reached_by_psycopg_3(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://ana:a%40b@host:5433/chat")
    assert Settings().sqlalchemy_url == "postgresql+psycopg://ana:a%40b@host:5433/chat"


def test_the_secret_key_is_made_once_and_only_its_owner_can_read_it() -> None:
    old = os.umask(0)
    try:
        settings = Settings()
        settings.prepare_data_dir()
        key = settings.secret_key()
    finally:
        os.umask(old)
    path = settings.data_dir / "secret_key"
    assert len(key) >= 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.data_dir.stat().st_mode) == 0o700
    assert Settings().secret_key() == key == path.read_text()
    assert [each.name for each in settings.data_dir.iterdir()] == ["secret_key"]


def test_processes_that_start_at_once_read_the_same_key(tmp_path: Path) -> None:
    script = (
        "import sys; from chatapp.config import Settings; settings = Settings(); settings.prepare_data_dir();"
        "print('ready', flush=True); sys.stdin.readline(); print(settings.secret_key())"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env=clean_environment(CHATAPP_DATA_DIR=str(tmp_path / "data")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    with ThreadPoolExecutor(len(processes)) as threads:
        keys = [out for out, _ in threads.map(lambda process: process.communicate("go\n", timeout=20), processes)]
    assert len(set(keys)) == 1
    assert len(keys[0].strip()) == 64
