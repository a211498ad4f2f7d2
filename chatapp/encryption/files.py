"""Small files with secrets, encrypted if there is a key for them."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from chatapp.durability import sync
from chatapp.encryption.streams import MAGIC, Undecryptable, decrypt, encrypt


def read_or_create(path: Path, key: bytes | None, create: Callable[[], bytes]) -> bytes:
    """Return the content of a file, which is created if it does not exist. Raises `Undecryptable`."""
    if not path.exists():
        # Written to a temporary file, then linked: two processes that start at the same time read the same file.
        draft = _write_draft(path, create(), key)
        try:
            with suppress(FileExistsError):
                path.hardlink_to(draft)
        finally:
            draft.unlink()
    return read(path, key)


def read(path: Path, key: bytes | None) -> bytes:
    """Return the content of a file, which need not be encrypted. Raises `Undecryptable`."""
    content = path.read_bytes()
    if not content.startswith(MAGIC):
        return content
    if key is None:
        raise Undecryptable("it is encrypted")
    return decrypt(content, key)


def replace(path: Path, content: bytes, key: bytes | None) -> None:
    """Replace a file. It is complete at any time, also after a crash."""
    draft = _write_draft(path, content, key)
    try:
        draft.replace(path)
    except OSError:
        draft.unlink()
        raise
    sync(path.parent)


def _write_draft(path: Path, content: bytes, key: bytes | None) -> Path:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    try:
        draft.write_bytes(encrypt(content, key) if key else content)
        sync(draft)
    except OSError:  # The disk is full.
        draft.unlink()
        raise
    return draft
