"""Event numbers: the order of the changes in a conversation's timeline.

Each change takes the next number in its own transaction, while the conversation's row is locked. A message has the
number of its creation (`seq`) and of its last change (`version`).
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from chatapp.conversations.refs import ConversationRef
from chatapp.models import Conversation, now
from chatapp.storage import Transaction

# Built once: building a statement takes as long as executing it. All processes lock in the order of the ids, so that
# they cannot deadlock.
_LOCKED = (
    select(Conversation)
    .where(Conversation.id.in_(bindparam("ids", expanding=True)))
    .order_by(Conversation.id)
    .with_for_update()
    .execution_options(populate_existing=True)
)


def lock_conversations(session: Session, ids: Collection[int]) -> dict[ConversationRef, Conversation]:
    """Lock conversations until the transaction ends, and return them with their current columns."""
    conversations = session.scalars(_LOCKED, {"ids": list(ids)})
    return {ConversationRef.of(conversation): conversation for conversation in conversations}


def lock_conversation(session: Session, conversation_id: int) -> Conversation | None:
    """Lock one conversation: see `lock_conversations`."""
    return next(iter(lock_conversations(session, [conversation_id]).values()), None)


def increment_last_event(transaction: Transaction, conversation: Conversation) -> int:
    """Increment the last event number of a locked conversation and return it: a new `seq` or `version`."""
    conversation.last_event += 1
    transaction.watermarks[conversation.id] = conversation.last_event
    conversation.updated_at = now()
    return conversation.last_event


def new_message_columns(transaction: Transaction, conversation: Conversation, **columns: Any) -> dict[str, Any]:
    """Take the next event number for a new message of a locked conversation, and return the message's columns.

    The caller inserts the row.
    """
    seq = increment_last_event(transaction, conversation)
    conversation.message_count += 1
    return {"conversation_id": conversation.id, "seq": seq, "version": seq, **columns}
