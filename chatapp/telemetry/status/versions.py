"""The versions of chatapp and of what it runs on."""

import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path

from chatapp.config import ROOT
from chatapp.storage.schema import newest_revision

LIBRARIES = (
    "eventlet",
    "Flask",
    "Flask-SocketIO",
    "Jinja2",
    "markdown-it-py",
    "openai",
    "orjson",
    "psycopg",
    "pydantic",
    "python-engineio",
    "python-socketio",
    "redis",
    "SQLAlchemy",
    "sqlcipher3",
    "Werkzeug",
)


@cache
def list_versions() -> dict[str, str]:
    """Return the versions that do not change while the process runs."""
    own = {"chatapp": find_commit(ROOT) or "unknown", "Schema of the database": newest_revision()}
    return own | {"Python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


def find_commit(root: Path) -> str | None:
    """Return the first characters of the commit that is checked out in a folder; None if it is no work tree of git."""
    try:
        folder = root / ".git"
        if folder.is_file():  # One of several work trees.
            folder = root / folder.read_text().removeprefix("gitdir:").strip()
        head = (folder / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head[:10]
        common = folder / "commondir"
        repository = folder / common.read_text().strip() if common.exists() else folder
        return _find_reference(repository, head.removeprefix("ref: "))
    except OSError:
        return None


def _find_reference(repository: Path, name: str) -> str | None:
    path = repository / name
    if path.exists():
        return path.read_text()[:10]
    packed = (line.split(" ") for line in (repository / "packed-refs").read_text().splitlines())
    return next((fields[0][:10] for fields in packed if fields[1:] == [name]), None)
