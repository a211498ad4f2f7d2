"""Cleanup: removes all but the last messages of a conversation permanently, or the conversation."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, insert, literal, select
from sqlalchemy.orm import Session

from chatapp.actors import Actor, is_admin
from chatapp.audit_log import AuditKind, record
from chatapp.conversations.policy import authorize_clearing
from chatapp.conversations.queries import find_access_of
from chatapp.conversations.refs import ConversationRef
from chatapp.models import Conversation, Message, RetiredKey, now
from chatapp.storage import DELETED, Transaction, write
from chatapp.timeline.event_numbers import lock_conversation
from chatapp.timeline.messages import Head
from chatapp.timeline.signals import timeline_trimmed

BATCH_MESSAGES = 1_000
"""Maximum number of messages that one transaction removes. Other changes wait meanwhile, for some milliseconds."""

PAUSE_SECONDS = 0.01
"""Pause between two transactions, in which another process can write."""

RETIRED_KEY_LIFETIME = timedelta(days=30)
"""How long the key of a removed message is kept: longer than a message waits in an outbox."""


@dataclass(frozen=True, slots=True)
class Trim:
    """The removal of `count` messages of a conversation: those with a `seq` below `cut`."""

    conversation_id: int
    cut: int
    count: int


def plan_trim(session: Session, conversation: Conversation, keep_last: int) -> Trim:
    """Plan the removal of all but the last `keep_last` messages; of none if that is 0."""
    is_in_conversation = Message.conversation_id == conversation.id
    oldest_kept = session.scalar(
        select(Message.seq).where(is_in_conversation).order_by(Message.seq.desc()).offset(keep_last - 1).limit(1)
        if keep_last
        else select(func.min(Message.seq)).where(is_in_conversation)
    )
    cut = oldest_kept or 0
    count = session.scalars(select(func.count()).where(is_in_conversation, Message.seq < cut)).one()
    return Trim(conversation.id, cut, count)


def plan_clearing(conversation: Conversation) -> Trim:
    """Plan the removal of all messages that exist now."""
    return Trim(conversation.id, conversation.last_event + 1, conversation.message_count)


def clear(actor: Actor, ref: ConversationRef) -> int:
    """Remove all messages of a conversation that exist now, and return their number.

    Raises what `authorize_clearing` raises, and `SignedOut`.
    """

    def plan(transaction: Transaction) -> Trim:
        session = transaction.session
        access = find_access_of(session, ref, actor)
        clearing = plan_clearing(authorize_clearing(*access, is_admin=is_admin(session, actor)))
        target = f"{clearing.count} messages"
        record(transaction, AuditKind.CONVERSATION_CLEARED, actor, target=target, conversation=ref.wire_name)
        return clearing

    return sum(trim(write(plan)))


def trim(plan: Trim) -> Iterator[int]:
    """Remove messages as planned, in batches, and yield how many each has removed.

    Event numbers are never lowered. The floor rises to the last removed message. The keys of removed messages are
    retired, so that a message sent again is not stored again.
    """
    while removed := write(_remove_batch(plan)):
        yield removed
        time.sleep(PAUSE_SECONDS)
    write(_delete_expired_keys)


def delete_conversation(transaction: Transaction, conversation_id: int) -> None:
    """Delete a conversation with its messages, within the caller's transaction."""
    transaction.session.execute(delete(Conversation).where(Conversation.id == conversation_id))
    transaction.watermarks[conversation_id] = DELETED


def _remove_batch(plan: Trim) -> Callable[[Transaction], int]:
    def change(transaction: Transaction) -> int:
        session = transaction.session
        conversation = lock_conversation(session, plan.conversation_id)
        seqs = session.scalars(
            select(Message.seq)
            .where(Message.conversation_id == plan.conversation_id, Message.seq < plan.cut)
            .order_by(Message.seq)
            .limit(BATCH_MESSAGES)
        ).all()
        if conversation is None or not seqs:
            return 0
        is_removed = (Message.conversation_id == plan.conversation_id, Message.seq <= seqs[-1])
        session.execute(
            insert(RetiredKey).from_select(
                ["client_id", "sender_id", "conversation_id", "seq", "retired_at"],
                select(
                    Message.client_id,
                    Message.sender_id,
                    Message.conversation_id,
                    Message.seq,
                    literal(now(), RetiredKey.retired_at.type),
                ).where(*is_removed, Message.client_id.is_not(None), Message.sender_id.is_not(None)),
            )
        )
        session.execute(delete(Message).where(*is_removed))
        conversation.floor = seqs[-1]
        conversation.message_count -= len(seqs)
        session.flush()
        transaction.send_on_commit(timeline_trimmed, Head.of(conversation))
        return len(seqs)

    return change


def _delete_expired_keys(transaction: Transaction) -> None:
    transaction.session.execute(delete(RetiredKey).where(RetiredKey.retired_at < now() - RETIRED_KEY_LIFETIME))
