"""What a backup consists of."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.engine import make_url

from chatapp.config import Settings

COLUMN_KEYS = "column_keys"

STORED_FILES = "files"
"""The folder with the files of messages."""

DATA_FILES = ("secret_key", COLUMN_KEYS, "assistants.toml", "archive", STORED_FILES)
"""Files and folders of the data folder that a backup has, besides the database and the spools."""

SECRET_FILES = ("secret_key", COLUMN_KEYS)
"""Files of the data folder that are encrypted as a whole."""

DATABASES = ("database.sqlite3", "database.sql")
"""Names of the database in a backup: a copy of the SQLite file, or the statements for PostgreSQL."""

MANIFEST = "manifest.json"
"""Last member of a backup: sizes and checksums of the others. A backup without it is incomplete."""

FORMAT = 1

_SPOOL = re.compile(r"spool-\d+\.sqlite3", re.ASCII)
_STORED = re.compile(r"files/[0-9a-f]{2}/(?P<digest>[0-9a-f]{64})(\.(small|large))?(\.enc)?", re.ASCII)
_PART = re.compile(r"(?!\.)[\w.-]+", re.ASCII)


def find_sqlite_path(settings: Settings) -> Path | None:
    """Return the path of the SQLite database; None on PostgreSQL."""
    url = make_url(settings.sqlalchemy_url)
    return Path(url.database or "").absolute() if url.get_backend_name() == "sqlite" else None


def restoring_folder(settings: Settings) -> Path:
    """Return the folder whose existence means that a restore has begun and is not complete."""
    return settings.data_dir / "restoring"


def is_allowed(name: str) -> bool:
    """Return whether a backup may have a member of this name."""
    first, *others = name.split("/")
    if not all(_PART.fullmatch(part) for part in (first, *others)):
        return False
    if first == STORED_FILES:
        return find_digest(name) is not None  # What is being written, and the marks of sweeps, are left out.
    return first in DATA_FILES or (not others and (name in {*DATABASES, MANIFEST} or bool(_SPOOL.fullmatch(name))))


def find_digest(name: str) -> str | None:
    """Return the digest of a file of messages, by its name in a backup; None for other files."""
    match = _STORED.fullmatch(name)
    return match["digest"] if match else None


def list_spools(data_dir: Path) -> list[Path]:
    """Return the spools of all ports."""
    return sorted(path for path in data_dir.iterdir() if _SPOOL.fullmatch(path.name))


def list_files(data_dir: Path) -> Iterator[Path]:
    """Yield the files of a data folder that a backup copies as they are."""
    for name in DATA_FILES:
        path = data_dir / name
        if path.is_file():
            yield path
        elif path.is_dir():
            files = (each for each in path.rglob("*") if each.is_file())
            yield from sorted(each for each in files if is_allowed(member_name(data_dir, each)))


def member_name(data_dir: Path, path: Path) -> str:
    """Return the name that a file of the data folder has in a backup."""
    return path.relative_to(data_dir).as_posix()


def remove(path: Path) -> None:
    """Remove a file or a folder, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
