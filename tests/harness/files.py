"""Files that messages have in tests."""

from sqlalchemy.orm import Session

from chatapp.files.attached import AttachedFile
from chatapp.files.rows import store_files
from chatapp.models import Message
from tests.harness.servers import Server

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


def attach(server: Server, message_id: int, *files: AttachedFile) -> None:
    """Insert the rows of a message's files, without their contents."""
    with Session(server.engine()) as session, session.begin():
        message = session.get_one(Message, message_id)
        store_files(session, [(message.conversation_id, message.id, message.sender_id, files)])
