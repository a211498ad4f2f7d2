"""The files of a conversation's messages, and the pictures of their link previews."""

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from chatapp.conversations.policy import authorize_reading, may_read, no_such_conversation
from chatapp.conversations.queries import ConversationAccess
from chatapp.errors import NotFound
from chatapp.files.attached import AttachedFile
from chatapp.files.pictures import MEDIA_TYPE, NAME
from chatapp.files.rows import find_file
from chatapp.models import LinkPreview, Message
from chatapp.storage import ReadStatement

_FIND_PICTURE = ReadStatement(
    select(LinkPreview.picture_width, LinkPreview.picture_height)
    .join(Message, Message.id == LinkPreview.message_id)
    .where(
        LinkPreview.conversation_id == bindparam("conversation_id"),
        LinkPreview.picture_digest == bindparam("digest"),
        Message.deleted_at.is_(None),
    )
    .limit(1)
)


def get_file(session: Session, access: ConversationAccess, digest: str, name: str) -> AttachedFile:
    """Return the file with a digest that a message of the conversation, or one of their link previews, has.

    See `find_file` for `name`. Raises `NotFound`, also if the user may know the conversation but not read it: a URL
    reveals nothing.
    """
    if not may_read(*access):
        raise no_such_conversation()
    conversation_id = authorize_reading(*access).id
    file = find_file(session, conversation_id, digest, name) or _find_picture(session, conversation_id, digest)
    if file is None:
        raise NotFound("This file does not exist, or its message was deleted.")
    return file


def _find_picture(session: Session, conversation_id: int, digest: str) -> AttachedFile | None:
    rows = _FIND_PICTURE.fetch(session, conversation_id=conversation_id, digest=digest)
    if not rows:
        return None
    width, height = rows[0]
    return AttachedFile(
        digest=digest, name=NAME, media_type=MEDIA_TYPE, kind="image", size=0, width=width, height=height
    )
