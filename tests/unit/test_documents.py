"""The documents say what the code does."""

import re
from pathlib import Path

from chatapp import create_app
from chatapp.config import Settings
from chatapp.errors import every_error
from chatapp.extensions import socketio

ROOT = Path(__file__).parents[2]
PROTOCOL = (ROOT / "docs/protocol.md").read_text()


def section(title: str) -> str:
    return PROTOCOL.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def names(table: str) -> set[str]:
    return {
        name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`([a-z_]+)`", row)
    }


def test_every_error_code_stands_in_the_protocol_with_its_status() -> None:
    documented = set(re.findall(r"^\| `([a-z_]+)` \| (\d+) \|", section("Error codes"), re.MULTILINE))
    assert documented == {(error.code, str(error.status.value)) for error in every_error()}


def test_every_event_that_is_taken_stands_in_the_protocol(tmp_path: Path) -> None:
    create_app(Settings(data_dir=tmp_path, log_level="ERROR"))
    taken = set(socketio.server.handlers["/"]) - {"connect", "disconnect"}
    assert names(section("Client → server")) == taken


def test_every_event_that_is_sent_stands_in_the_protocol() -> None:
    sources = [*(ROOT / "chatapp/realtime").glob("*.py"), ROOT / "chatapp/serving.py"]
    sent = {name for source in sources for name in re.findall(r'emit\(\s*"(\w+)"', source.read_text())}
    assert names(section("Server → client")) == sent


def test_every_setting_stands_in_the_readme() -> None:
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE))
    ours = {"host": "HOST", "port": "PORT", "database_url": "DATABASE_URL"}
    assert documented == {ours.get(name, f"CHATAPP_{name.upper()}") for name in Settings.model_fields}
