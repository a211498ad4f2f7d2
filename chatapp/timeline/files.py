"""The files of a conversation's messages."""

from sqlalchemy.orm import Session

from chatapp.conversations.policy import authorize_reading, may_read, no_such_conversation
from chatapp.conversations.queries import ConversationAccess
from chatapp.errors import NotFound
from chatapp.files.attached import AttachedFile
from chatapp.files.rows import find_file


def get_file(session: Session, access: ConversationAccess, digest: str, name: str) -> AttachedFile:
    """Return the file with a digest that a message of the conversation has. See `find_file` for `name`.

    Raises `NotFound`, also if the user may know the conversation but not read it: a URL reveals nothing.
    """
    if not may_read(*access):
        raise no_such_conversation()
    file = find_file(session, authorize_reading(*access).id, digest, name)
    if file is None:
        raise NotFound("This file does not exist, or its message was deleted.")
    return file
