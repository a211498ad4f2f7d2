"""Comparing the files of messages, the pictures of link previews, and custom emoji with the store."""

import hashlib
from collections.abc import Iterator, Sequence

from sqlalchemy import bindparam, func, select, union

from chatapp.encryption.streams import Undecryptable
from chatapp.extensions import db
from chatapp.files.avatars import AVATARS
from chatapp.files.pictures import VARIANT
from chatapp.files.store import VARIANTS, FileStore, current_store
from chatapp.models import Attachment, CustomEmoji, LinkPreview

_Row = tuple[str, str, int, int | None]

BATCH_FILES = 1_000

READ_BYTES = 1_000_000

_SELECT = (
    select(Attachment.digest, func.min(Attachment.name), func.count(), func.max(Attachment.width))
    .where(Attachment.digest > bindparam("after"))
    .group_by(Attachment.digest)
    .order_by(Attachment.digest)
    .limit(BATCH_FILES)
)

_SELECT_PICTURES = (
    select(LinkPreview.picture_digest, func.min(LinkPreview.url))
    .where(LinkPreview.picture_digest.is_not(None))
    .group_by(LinkPreview.picture_digest)
    .order_by(LinkPreview.picture_digest)
)

_SELECT_AVATARS = union(*(select(column).where(column.is_not(None)) for column in AVATARS))

_SELECT_EMOJI = select(CustomEmoji.digest, CustomEmoji.name).order_by(CustomEmoji.name)


def find_file_problems(*, is_thorough: bool = False) -> Iterator[str]:
    """Yield a description of each file that a row refers to and that is not stored.

    If it is thorough, files whose content is damaged are found too. It blocks: it is for commands of the shell.
    """
    avatars = [str(digest) for (digest,) in db.session.execute(_SELECT_AVATARS)]
    db.session.rollback()
    for digest in avatars:
        for _, problem in _find_problems(digest, (), is_thorough=is_thorough):
            yield f"the picture of a person, a room or an assistant {problem} ({digest})"
    for digest, name, count, width in _list_files():
        variants = VARIANTS if width is not None else ()
        for variant, problem in _find_problems(digest, variants, is_thorough=is_thorough):
            what = f"the {variant} thumbnail of the file" if variant else "the file"
            yield f"{what} “{name}” {problem} (in messages: {count:,}; {digest})"
    pictures, emoji = db.session.execute(_SELECT_PICTURES).all(), db.session.execute(_SELECT_EMOJI).all()
    db.session.rollback()
    for picture, url in pictures:
        for variant, problem in _find_problems(str(picture), (VARIANT,), is_thorough=is_thorough):
            what = f"the {variant} thumbnail" if variant else "the picture"
            yield f"{what} of the preview of {url} {problem} ({picture})"
    for image, name in emoji:
        for variant, problem in _find_problems(str(image), VARIANTS, is_thorough=is_thorough):
            what = f"the {variant} thumbnail" if variant else "the image"
            yield f"{what} of the emoji :{name}: {problem} ({image})"


def _find_problems(digest: str, variants: Sequence[str], *, is_thorough: bool) -> Iterator[tuple[str, str]]:
    """Yield each variant of a file with a problem, and what that is."""
    for variant in ("", *variants):
        if problem := _find_problem(current_store(), digest, variant, is_thorough=is_thorough):
            yield variant, problem


def _list_files() -> Iterator[_Row]:
    """Yield the digest, a name, the number of messages and the width of each file."""
    after = ""
    while rows := _read_batch(after):
        yield from rows
        after = rows[-1][0]


def _read_batch(after: str) -> Sequence[_Row]:
    rows = [(row[0], row[1], row[2], row[3]) for row in db.session.execute(_SELECT, {"after": after})]
    db.session.rollback()
    return rows


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
