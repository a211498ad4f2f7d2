"""Comparing the stored files with what refers to them: messages, link previews, emoji, people and rooms."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, func, literal, select

from chatapp.encryption.streams import Undecryptable
from chatapp.extensions import db
from chatapp.files.store import FileStore, current_store
from chatapp.models.file_references import FILE_REFERENCES, FileReference

_Row = tuple[str, str, int, int | None]

BATCH_FILES = 1_000

READ_BYTES = 1_000_000


def find_file_problems(*, is_thorough: bool = False) -> Iterator[str]:
    """Yield a description of each file that a row refers to and that is not stored.

    If it is thorough, files whose content is damaged are found too. It blocks: it is for commands of the shell.
    """
    for reference in FILE_REFERENCES:
        for digest, name, count, width in _list_files(reference):
            has_thumbnails = reference.width is None or width is not None
            for variant in ("", *(reference.thumbnails if has_thumbnails else ())):
                if problem := _find_problem(current_store(), digest, variant, is_thorough=is_thorough):
                    file = reference.description.format(name)
                    what = f"the {variant} thumbnail of {file}" if variant else file
                    yield f"{what} {problem} (references: {count:,}; {digest})"


def _list_files(reference: FileReference) -> Iterator[_Row]:
    """Yield the digest, a name, the number of references and the width of each file."""
    after = ""
    while rows := _read_batch(reference, after):
        yield from rows
        after = rows[-1][0]


def _read_batch(reference: FileReference, after: str) -> Sequence[_Row]:
    rows = [(row[0], row[1], row[2], row[3]) for row in db.session.execute(_select(reference), {"after": after})]
    db.session.rollback()
    return rows


@cache
def _select(reference: FileReference) -> Select[Any]:
    name, width = reference.name, reference.width
    return (
        select(
            reference.digest,
            literal("") if name is None else func.min(name),
            func.count(),
            literal(None) if width is None else func.max(width),
        )
        .where(reference.digest > bindparam("after"))
        .group_by(reference.digest)
        .order_by(reference.digest)
        .limit(BATCH_FILES)
    )


def _find_problem(store: FileStore, digest: str, variant: str, *, is_thorough: bool) -> str | None:
    try:
        file = store.open(digest, variant)
        try:
            if is_thorough:
                content = hashlib.sha256()
                for offset in range(0, file.size, READ_BYTES):
                    content.update(file.read(offset, READ_BYTES))
                if not variant and content.hexdigest() != digest:
                    return "has another content than when it was uploaded"
        finally:
            file.close()
    except FileNotFoundError:
        return "is not stored"
    except ValueError:
        return "has no valid digest"
    except (OSError, Undecryptable) as error:
        return f"cannot be read: {error}"
    return None
