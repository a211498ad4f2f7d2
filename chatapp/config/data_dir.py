"""The data folder: its files are accessible to the user that chatapp runs as, and to nobody else."""

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

_OTHERS = 0o077
"""Permissions of the group and of other users."""

FILES_FOLDER = "files"
"""The folder with the files of messages."""

_MAX_LOGGED_FILES = 10


def prepare_data_dir(folder: Path) -> None:
    """Create the data folder, and remove the permissions of other users from it and from everything in it.

    Logs what was changed. Exits if the folder itself stays accessible. Also sets the umask of the process, so that
    files that it creates later, such as those of SQLite, are its own too.
    """
    os.umask(_OTHERS)
    folder.mkdir(parents=True, exist_ok=True)
    exposed = [path for path in [folder, *_walk(folder)] if _is_exposed(path)]
    remaining = [path for path in exposed if not _restrict(path)]
    if folder in remaining:
        sys.exit(
            f"chatapp does not start: other users can access the data folder {folder}, and chatapp cannot change that. "
            "Run chatapp as the owner of the folder, or choose another one with CHATAPP_DATA_DIR."
        )
    if repaired := [path for path in exposed if path not in remaining]:
        log.warning("other users could access the data folder: permissions removed", files=_name(folder, repaired))
    if remaining:
        log.warning("files in the data folder belong to another user; permissions kept", files=_name(folder, remaining))


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield Path(parent, name)
        if Path(parent) == folder:
            # There may be millions of files, which are as inaccessible as their folder.
            folders[:] = [name for name in folders if name != FILES_FOLDER]


def _is_exposed(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False  # Another process has removed it, such as SQLite's -wal.
    return bool(mode & _OTHERS) and not stat.S_ISLNK(mode)


def _restrict(path: Path) -> bool:
    """Remove the permissions of other users. Return whether it worked: not every file system has permissions."""
    try:
        path.chmod(stat.S_IMODE(path.lstat().st_mode) & ~_OTHERS)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return not _is_exposed(path)


def _name(folder: Path, paths: Sequence[Path]) -> list[str]:
    names = [str(path.relative_to(folder)) for path in paths]
    return names if len(names) <= _MAX_LOGGED_FILES else [*names[:_MAX_LOGGED_FILES], "…"]
