"""Forwarding: a message that refers to one of another conversation."""

import re
from collections.abc import Callable

from sqlalchemy import select

from chatapp.actors import Actor
from chatapp.config import current_settings
from chatapp.conversations.policy import authorize_reading
from chatapp.conversations.queries import find_access
from chatapp.conversations.refs import ConversationRef
from chatapp.errors import ChatError, NotFound
from chatapp.models import Message
from chatapp.storage import Transaction, write
from chatapp.timeline.content import TEXT
from chatapp.timeline.messages import TimelineMessage
from chatapp.timeline.posting import Post, prepare_post
from chatapp.timeline.references import make_reference

_FENCE = re.compile("```|~~~")


def forward(
    source: ConversationRef, seq: int, target: ConversationRef, actor: Actor, *, comment: str, client_id: object
) -> TimelineMessage:
    """Post a message that refers to the message `seq` of `source` to `target`, and return it, once it is stored.

    `comment` may be empty. The message is never spooled: during an outage nobody knows whether the actor may read the
    source. Otherwise it is stored like every post: see `prepare_post`.

    Raises what `post` and `authorize_reading` raise, and `NotFound` if the message does not exist or was deleted.
    """
    post = prepare_post(
        target,
        actor,
        content=_compose(comment, make_reference(source, seq)),
        client_id=client_id,
        message_type=TEXT,
        metadata=None,
        reply_to=None,
        authorized_sender=None,
        max_chars=current_settings().max_message_chars,
    )
    return write(_make_change(source, seq, post), locks=post.lock_keys)


def _compose(comment: str, reference: str) -> str:
    if not comment.strip():
        return reference
    # What follows a fence that is not closed is code.
    parts = (reference, comment) if _FENCE.search(comment) else (comment, reference)
    return "\n\n".join(parts)


def _make_change(source: ConversationRef, seq: int, post: Post) -> Callable[[Transaction], TimelineMessage]:
    def change(transaction: Transaction) -> TimelineMessage:
        session = transaction.session
        authorize_reading(*find_access(session, source, post.actor.user_id))
        is_source = Message.conversation_id == source.id, Message.seq == seq, Message.deleted_at.is_(None)
        if session.scalars(select(Message.id).where(*is_source)).one_or_none() is None:
            raise NotFound("There is no such message, or it was deleted.")
        (result,) = Post.apply_batch(transaction, [post])
        if isinstance(result, ChatError):
            raise result
        return result

    return change
