"""Files of messages: in the store, and as rows of the database of a server."""

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chatapp.conversations.refs import parse_ref
from chatapp.encryption.keys import FILES, SECRETS
from chatapp.files.attached import AttachedFile
from chatapp.files.inspection import inspect
from chatapp.files.pictures import NAME, VARIANT
from chatapp.files.rows import store_files
from chatapp.files.store import FileStore
from chatapp.files.sweep import MARKS
from chatapp.files.upload_folder import COMPLETE_SECONDS, UploadFolder
from chatapp.models import LinkPreview, Message
from tests.harness.servers import Server

INSPECTED = ("name", "kind", "media_type", "width", "height", "is_animated", "placeholder", "preview")
"""Fields that an inspection and a file have in common."""


def file_store(server: Server) -> FileStore:
    """Return the store of a server."""
    return FileStore(server.data_dir / "files", server.derive_key(FILES))


def put(store: FileStore, folder: Path, content: bytes, digest: str = "", variant: str = "") -> str:
    """Store content by way of a file in `folder`, and return its digest."""
    source = folder / "source"
    source.write_bytes(content)
    digest = digest or sha256(content).hexdigest()
    store.put(source, digest, variant)
    source.unlink()
    return digest


def read(store: FileStore, digest: str, variant: str = "") -> bytes:
    """Return the content of a stored file."""
    file = store.open(digest, variant)
    try:
        return file.read(0, file.size)
    finally:
        file.close()


def store_content(server: Server, content: bytes, **variants: bytes) -> str:
    """Store content, and thumbnails of it. Return the digest."""
    digest = sha256(content).hexdigest()
    with TemporaryDirectory(dir=server.data_dir) as folder:
        for variant, stored in {"": content, **variants}.items():
            source = Path(folder) / f"source{variant}"
            source.write_bytes(stored)
            file_store(server).put(source, digest, variant)
    return digest


def attach(server: Server, conversation: str, seq: int, content: bytes, **fields: Any) -> AttachedFile:
    """Store content, and let a message of a server have it as its file."""
    known: dict[str, Any] = {
        "name": "file.bin",
        "media_type": "application/octet-stream",
        "kind": "other",
        "size": len(content),
    }
    file = AttachedFile(digest=store_content(server, content), **known | fields)
    attach_rows(server, conversation, seq, file)
    return file


def attach_inspected(server: Server, conversation: str, seq: int, contents: Mapping[str, bytes]) -> None:
    """Store files with their thumbnails, by their names, and let a message have them."""
    files = []
    with TemporaryDirectory(dir=server.data_dir) as folder:
        for number, (name, content) in enumerate(contents.items()):
            path = Path(folder) / str(number)
            path.write_bytes(content)
            found = inspect(path, name, Path(folder) / f"{number}-inspected")
            thumbnails = {variant: file.read_bytes() for variant, file in found.variants.items()}
            stored = found.content.read_bytes()
            fields = {field: getattr(found, field) for field in INSPECTED}
            files.append(AttachedFile(digest=store_content(server, stored, **thumbnails), size=len(stored), **fields))
    attach_rows(server, conversation, seq, *files)


def attach_rows(server: Server, conversation: str, seq: int, *files: AttachedFile) -> None:
    """Insert the rows of a message's files, without their contents."""
    ref = parse_ref(conversation)
    with Session(server.engine()) as session, session.begin():
        message = session.scalars(select(Message).where(Message.conversation_id == ref.id, Message.seq == seq)).one()
        store_files(session, [(ref.id, message.id, message.sender_id, files)])


def add_preview(server: Server, conversation: str, seq: int, picture: bytes | None = None, **fields: Any) -> str | None:
    """Let a message of a server have a link preview, with an image as its picture. Return the picture's digest."""
    ref = parse_ref(conversation)
    known: dict[str, Any] = {"url": "https://example.com/page", "title": "A page", "description": "", "site": ""}
    digest = None
    if picture is not None:
        with TemporaryDirectory(dir=server.data_dir) as folder:
            path = Path(folder) / "picture"
            path.write_bytes(picture)
            found = inspect(path, NAME, Path(folder) / "inspected")
            digest, _ = file_store(server).add(found.variants["large"], {VARIANT: found.variants[VARIANT]})
        known |= {"picture_width": found.width, "picture_height": found.height}
        known |= {"picture_digest": digest, "picture_placeholder": found.placeholder}
    with Session(server.engine()) as session, session.begin():
        message = session.scalars(select(Message).where(Message.conversation_id == ref.id, Message.seq == seq)).one()
        position = session.scalar(select(func.count()).where(LinkPreview.message_id == message.id))
        place = {"message_id": message.id, "conversation_id": ref.id, "position": position}
        session.add(LinkPreview(**place, **known | fields))
    return digest


def let_hours_pass(server: Server) -> None:
    """Let everything in the store, and the marks of the sweep, be older by two hours. The server must be stopped."""
    folder = server.data_dir / "files"
    for path in folder.rglob("*"):
        _make_older(path, 2 * 3_600)
    marks = folder / MARKS
    if marks.exists():
        marked = {digest: marked_at - 2 * 3_600 for digest, marked_at in json.loads(marks.read_bytes()).items()}
        marks.write_text(json.dumps(marked))


def delete_uploads(server: Server) -> None:
    """Let all uploads expire. The server must be stopped."""
    folder = UploadFolder(server.data_dir / "uploads", server.derive_key(SECRETS))
    for path in folder.path.rglob("*"):
        _make_older(path, 2 * COMPLETE_SECONDS)
    folder.delete_expired()


def _make_older(path: Path, seconds: float) -> None:
    changed_at = path.stat().st_mtime - seconds
    os.utime(path, (changed_at, changed_at))
