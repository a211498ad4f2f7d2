"""Old names of commands."""

import click
import pytest
import structlog
from click.testing import CliRunner
from structlog.testing import capture_logs

from chatapp import deprecation
from chatapp.deprecation import add_deprecated_alias


@pytest.fixture(autouse=True)
def unbound_logger(monkeypatch: pytest.MonkeyPatch) -> None:
    """A logger that structlog has not bound to the configuration of another test's application."""
    monkeypatch.setattr(deprecation, "log", structlog.get_logger())


@pytest.fixture
def group() -> click.Group:
    @click.group("flask")
    def flask() -> None:
        pass

    @flask.command("greet")
    @click.argument("name")
    def greet(name: str) -> None:
        """Greet NAME."""
        click.echo(f"Hello, {name}")

    add_deprecated_alias(flask, greet, "hail")
    return flask


def test_an_old_name_runs_the_command_and_logs_the_new_name(group: click.Group) -> None:
    with capture_logs() as logs:
        assert CliRunner().invoke(group, ["hail", "Ana"]).output == "Hello, Ana\n"
    assert [(entry["log_level"], entry["event"]) for entry in logs] == [
        ("warning", "`flask hail` was renamed to `flask greet`; the old name still works")
    ]


def test_the_new_name_logs_nothing(group: click.Group) -> None:
    with capture_logs() as logs:
        assert CliRunner().invoke(group, ["greet", "Ana"]).output == "Hello, Ana\n"
    assert logs == []


def test_help_lists_the_new_name_only(group: click.Group) -> None:
    shown = CliRunner().invoke(group, ["--help"]).output
    assert "greet" in shown
    assert "hail" not in shown
