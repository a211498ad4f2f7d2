"""Files that messages have in tests."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy.orm import Session

from chatapp.encryption.keys import FILES
from chatapp.files.attached import AttachedFile
from chatapp.files.inspection import inspect
from chatapp.files.rows import store_files
from chatapp.files.store import FileStore
from chatapp.models import Message
from tests.harness.servers import Server

INSPECTED = ("name", "kind", "media_type", "width", "height", "is_animated", "placeholder", "preview")
"""Fields that an inspection and a file have in common."""

PHOTO = AttachedFile(
    digest="a" * 64,
    name="my photo.jpg",
    media_type="image/jpeg",
    kind="image",
    size=12_345,
    width=640,
    height=480,
    placeholder="data:image/webp;base64,AAAA",
    alt="The sea",
)
"""A photo with thumbnails. The store of no test has its content."""

TEXT_FILE = AttachedFile(
    digest="b" * 64, name="notes.txt", media_type="text/plain", kind="text", size=1_000, preview="first line"
)


def attach_contents(server: Server, message_id: int, folder: Path, contents: Mapping[str, bytes]) -> None:
    """Store files, by their names, as those of a message."""
    store, files = FileStore(server.data_dir / "files", server.derive_key(FILES)), []
    for name, content in contents.items():
        path = folder / name
        path.write_bytes(content)
        found = inspect(path, name, folder / "inspected")
        digest = hashlib.sha256(found.content.read_bytes()).hexdigest()
        for variant, file in {"": found.content, **found.variants}.items():
            store.put(file, digest, variant)
        fields = {field: getattr(found, field) for field in INSPECTED}
        files.append(AttachedFile(digest=digest, size=found.content.stat().st_size, **fields))
    attach(server, message_id, *files)


def attach(server: Server, message_id: int, *files: AttachedFile) -> None:
    """Insert the rows of a message's files, without their contents."""
    with Session(server.engine()) as session, session.begin():
        message = session.get_one(Message, message_id)
        store_files(session, [(message.conversation_id, message.id, message.sender_id, files)])
