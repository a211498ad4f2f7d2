"""The documentation against the code: every link, path, name, test, route and command that it mentions exists."""

import re
import subprocess
from pathlib import Path

import click
import pytest
from flask import Flask
from flask.cli import shell_command

from chatapp import create_app
from chatapp.config import VARIABLES, Settings
from chatapp.telemetry.health import HEALTH_PATHS
from tests.harness import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PATH = re.compile(r"(?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|js|mjs|css|html|toml|sh)")
NAME = re.compile(r"[A-Za-z]\w*(?:_\w+|[a-z][A-Z]\w*)")
"""A name of code: in snake case or camel case."""

GENERATED = {"cache/", "instance/", "instance-dev/", "test-results/", "assistants.toml", "chatapp.sqlite3"}
"""Paths of files that the programs create."""


@pytest.fixture(scope="module")
def files() -> set[str]:
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True)
    return {path for path in listed.stdout.decode().splitlines() if (ROOT / path).is_file()}


def code_spans(text: str) -> list[str]:
    """Return what stands between backquotes, outside of blocks of code."""
    return re.findall(r"`([^`]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL))


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_heading(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (document.parent / path).resolve() if path else document
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_exists(document: Path, files: set[str]) -> None:
    folders = {folder for path in files for folder in Path(path).parents}
    known = files | {f"{folder}/" for folder in folders} | {f"{folder.name}/" for folder in folders}
    known |= {Path(path).name for path in files} | GENERATED
    assert [span for span in code_spans(document.read_text()) if PATH.fullmatch(span) and span not in known] == []


@pytest.mark.parametrize("name", ["architecture.md", "patterns.md", "glossary.md", "requirements.md"])
def test_every_name_of_code_exists(name: str, files: set[str]) -> None:
    sources = (path for path in files if Path(path).suffix in {".py", ".js", ".mjs", ".html", ".toml"})
    words = set(re.findall(r"\w+", "\n".join((ROOT / path).read_text() for path in sources)))
    spans = [
        span for span in code_spans((ROOT / "docs" / name).read_text()) if not PATH.fullmatch(span) and "::" not in span
    ]
    assert {each for span in spans for each in NAME.findall(span)} - words - VARIABLES.keys() == set()


@pytest.fixture(scope="module")
def requirements() -> list[str]:
    """The code spans of the list of requirements."""
    return code_spans((ROOT / "docs" / "requirements.md").read_text())


@pytest.fixture(scope="module")
def unserved_app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return create_app(Settings(data_dir=tmp_path_factory.mktemp("data"), log_level="WARNING"))


def test_every_test_of_a_requirement_exists(requirements: list[str]) -> None:
    named = [span.split("::") for span in requirements if "::" in span]
    assert len(named) > 100
    assert [
        (path, name)
        for path, name in named
        if not (ROOT / path).is_file() or not re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE)
    ] == []


def test_every_route_of_a_requirement_exists(requirements: list[str], unserved_app: Flask) -> None:
    served = {
        (method, re.sub(r"<[^<>]*:(\w+)>", r"<\1>", rule.rule))
        for rule in unserved_app.url_map.iter_rules()
        for method in rule.methods or ()
    }
    served |= {("GET", path) for path in HEALTH_PATHS}
    named = {tuple(span.partition("?")[0].split()) for span in requirements if re.match("[A-Z]+ /", span)}
    assert len(named) > 20
    assert named - served == set()


def test_every_command_of_a_requirement_exists(requirements: list[str], unserved_app: Flask) -> None:
    named = [span.split() for span in requirements if span.startswith("flask ")]
    assert len(named) > 5
    commands = click.Group(commands={**unserved_app.cli.commands, "shell": shell_command})
    for _flask, *words in named:
        command: click.Command = commands
        for word in words:
            if word.startswith("--"):
                assert any(word in parameter.opts for parameter in command.params), words
            else:
                assert isinstance(command, click.Group)
                assert word in command.commands, words
                command = command.commands[word]


def test_every_package_is_in_the_map(files: set[str]) -> None:
    _, _, rest = (ROOT / "docs" / "architecture.md").read_text().partition("\n## Packages\n")
    section, _, _ = rest.partition("\n## ")
    parts = {path.split("/")[1] for path in files if path.startswith("chatapp/") and path.endswith(".py")}
    assert {part for part in parts if not re.search(rf"`{re.escape(part)}/?`", section)} - {"__init__.py"} == set()


def test_the_glossary_is_in_alphabetical_order() -> None:
    rows = re.findall(r"^\| (.*?) \| ", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)[2:]
    terms = [re.sub(r"[^a-z ]", "", term.lower()) for term in rows]
    assert terms == sorted(terms)
