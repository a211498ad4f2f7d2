"""docs/protocol.md against the code: what is missing on either side fails."""

import re
from pathlib import Path

from chatapp import create_app
from chatapp.config import Settings
from chatapp.errors import every_error
from tests.harness import ROOT

DOCUMENT = (ROOT / "docs" / "protocol.md").read_text()
SOURCES = "\n".join(path.read_text() for path in sorted((ROOT / "chatapp").rglob("*.py")))


def rows(heading: str) -> list[list[str]]:
    """List the cells of the first table under a heading."""
    _, _, section = DOCUMENT.partition(f"\n## {heading}\n")
    table = re.search(
        r"^\|.*\n\|[ |-]+\|\n((?:\|.*\n)+)", re.split(r"^## ", section, flags=re.MULTILINE)[0], re.MULTILINE
    )
    assert table is not None, heading
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[1].splitlines()]


def names(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


def test_every_error_code_stands_there_with_its_status() -> None:
    documented = {(code.strip("`"), int(status)) for code, status, *_ in rows("Error codes")}
    assert documented == {(error.code, int(error.status)) for error in every_error()}


def test_every_event_that_a_client_may_send_stands_there(tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path))
    handled = set(app.extensions["socketio"].server.handlers["/"]) - {"connect", "disconnect"}
    assert {name for row in rows("Client → server") for name in names(row[0])} == handled


def test_every_event_that_the_server_sends_stands_there() -> None:
    emitted = set(re.findall(r"\bemit\(\s*\"(\w+)\"", SOURCES))
    assert len(re.findall(r"(?<!super\(\))\.emit\(", SOURCES)) == len(re.findall(r"\.emit\(\s*\"\w+\"", SOURCES)), (
        "emitted by a variable"
    )
    assert {name for row in rows("Server → client") for name in names(row[0])} == emitted


def test_every_address_that_it_names_is_served(tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path))
    served = {(method, rule.rule) for rule in app.url_map.iter_rules() for method in rule.methods or ()}
    for address, *_ in rows("HTTP"):
        method, path = address.strip("`").split("?")[0].split()
        assert (method, path) in served
