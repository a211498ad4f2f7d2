"""docs/protocol.md compared with the server's code and with the browser's."""

import re
from pathlib import Path

from chatapp import create_app
from chatapp.config import Settings
from chatapp.errors import every_error
from chatapp.telemetry.health import HEALTH_PATHS
from tests.harness import ROOT

DOCUMENT = (ROOT / "docs" / "protocol.md").read_text()
BROWSER_CODE = ROOT / "static" / "js"
SOURCES = "\n".join(path.read_text() for path in sorted((ROOT / "chatapp").rglob("*.py")))


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading."""
    _, _, section = DOCUMENT.partition(f"\n## {heading}\n")
    table = re.search(
        r"^\|.*\n\|[ |-]+\|\n((?:\|.*\n)+)", re.split(r"^## ", section, flags=re.MULTILINE)[0], re.MULTILINE
    )
    assert table is not None, heading
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[1].splitlines()]


def names(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


def test_error_codes_are_documented_with_their_status() -> None:
    documented = {(code.strip("`"), int(status)) for code, status, *_ in rows("Error codes")}
    assert documented == {(error.code, int(error.status)) for error in every_error()}


def test_client_events_are_documented(tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path))
    handled = set(app.extensions["socketio"].server.handlers["/"]) - {"connect", "disconnect"}
    assert {name for row in rows("Client → server") for name in names(row[0])} == handled


def test_server_events_are_documented() -> None:
    emitted = set(re.findall(r"\bemit\(\s*\"(\w+)\"", SOURCES))
    assert len(re.findall(r"(?<!super\(\))(?<!manager)\.emit\(", SOURCES)) == len(
        re.findall(r"\.emit\(\s*\"\w+\"", SOURCES)
    ), "an event name is not a literal"
    assert {name for row in rows("Server → client") for name in names(row[0])} == emitted


def test_documented_paths_exist(tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path))
    served = {(method, rule.rule) for rule in app.url_map.iter_rules() for method in rule.methods or ()}
    served |= {("GET", path) for path in HEALTH_PATHS}
    for address, *_ in rows("HTTP"):
        method, path = address.strip("`").split("?")[0].split()
        assert (method, path) in served


def test_the_page_uses_documented_events() -> None:
    protocol = (BROWSER_CODE / "protocol.js").read_text()
    for typedef, heading in (("Requests", "Client → server"), ("ServerEvents", "Server → client")):
        block = re.search(rf"@typedef {{object}} {typedef} .*?\*/", protocol, re.DOTALL)
        assert block is not None
        used = set(re.findall(r"@property {.*} (\w+)$", block[0], re.MULTILINE))
        assert used
        assert used <= {name for row in rows(heading) for name in names(row[0])}


def test_the_page_retries_after_the_documented_errors() -> None:
    source = (BROWSER_CODE / "core" / "connection.js").read_text()
    permanent = re.search(r"PERMANENT_CODES = new Set\(\[(.*?)\]", source, re.DOTALL)
    assert permanent is not None
    documented = {code.strip("`") for code, _, _, retry in rows("Error codes") if retry == "no"}
    assert set(re.findall(r'"(\w+)"', permanent[1])) == documented
