"""Forwarding: a message that refers to one of another conversation."""

import re
from collections.abc import Callable, Collection

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from chatapp.actors import Actor
from chatapp.config import current_settings
from chatapp.conversations.policy import authorize_reading, may_read
from chatapp.conversations.queries import find_access
from chatapp.conversations.refs import ConversationRef, parse_ref
from chatapp.errors import ChatError, InvalidConversation, NotFound
from chatapp.extensions import db
from chatapp.models import Message
from chatapp.storage import Transaction, write
from chatapp.timeline.content import TEXT
from chatapp.timeline.messages import TimelineMessage
from chatapp.timeline.posting import Post, prepare_post
from chatapp.timeline.references import find_reference, make_reference

_FENCE = re.compile("```|~~~")


def forward(
    source: ConversationRef, seq: int, target: ConversationRef, actor: Actor, *, comment: str, client_id: object
) -> TimelineMessage:
    """Post a message that refers to the message `seq` of `source` to `target`, and return it, once it is stored.

    If that message forwards another one that the actor may read, it refers to the original.

    `comment` may be empty. The message is never spooled: during an outage nobody knows whether the actor may read the
    source. Otherwise it is stored like every post: see `prepare_post`.

    Raises what `post` and `authorize_reading` raise, and `NotFound` if the message does not exist or was deleted.
    """
    original = _find_original(db.session(), source, seq, actor.user_id)
    post = prepare_post(
        target,
        actor,
        content=_compose(comment, make_reference(*original)),
        client_id=client_id,
        message_type=TEXT,
        metadata=None,
        reply_to=None,
        authorized_sender=None,
        max_chars=current_settings().max_message_chars,
    )
    return write(_make_change({(source, seq), original}, post), locks=post.lock_keys)


def _compose(comment: str, reference: str) -> str:
    if not comment.strip():
        return reference
    # What follows a fence that is not closed is code.
    parts = (reference, comment) if _FENCE.search(comment) else (comment, reference)
    return "\n\n".join(parts)


def _find_original(session: Session, source: ConversationRef, seq: int, user_id: int) -> tuple[ConversationRef, int]:
    """Return the message that a message forwards, if the user may read both. Otherwise return the message itself."""
    forward = _find_message(session, source, seq, user_id)
    # The references in an answer belong to its text.
    reference = find_reference(forward.content) if forward is not None and forward.sender_type == "user" else None
    if reference is None:
        return source, seq
    try:
        ref, original = parse_ref(reference[0]), reference[1]
    except InvalidConversation:
        return source, seq
    return (source, seq) if _find_message(session, ref, original, user_id) is None else (ref, original)


def _find_message(session: Session, ref: ConversationRef, seq: int, user_id: int) -> Row[str, str] | None:
    """Find the text and the sender's type of a message, unless it was deleted or the user may not read it."""
    if not may_read(*find_access(session, ref, user_id)):
        return None
    is_message = Message.conversation_id == ref.id, Message.seq == seq, Message.deleted_at.is_(None)
    return session.execute(select(Message.content, Message.sender_type).where(*is_message)).one_or_none()


def _make_change(
    sources: Collection[tuple[ConversationRef, int]], post: Post
) -> Callable[[Transaction], TimelineMessage]:
    def change(transaction: Transaction) -> TimelineMessage:
        session = transaction.session
        for source, seq in sources:
            authorize_reading(*find_access(session, source, post.actor.user_id))
            is_source = Message.conversation_id == source.id, Message.seq == seq, Message.deleted_at.is_(None)
            if session.scalars(select(Message.id).where(*is_source)).one_or_none() is None:
                raise NotFound("There is no such message, or it was deleted.")
        (result,) = Post.apply_batch(transaction, [post])
        if isinstance(result, ChatError):
            raise result
        return result

    return change
