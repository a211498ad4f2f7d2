"""Cleaning up: a conversation keeps its last messages, the older ones are removed for good."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, insert, literal, select
from sqlalchemy.orm import Session

from chatapp.models import Conversation, Message, RetiredKey, now
from chatapp.storage import Transaction, write
from chatapp.timeline.messages import Head
from chatapp.timeline.signals import timeline_trimmed

BATCH = 1_000
"""Messages that one transaction removes: some milliseconds in which others wait."""

PAUSE = 0.01
"""Seconds between two of them, so that another process that wants to write gets its turn."""

KEY_LIFETIME = timedelta(days=30)
"""How long the key of a removed message is kept; no outbox waits longer."""


@dataclass(frozen=True, slots=True)
class Trim:
    """What a cleanup will do: remove `count` messages of the conversation, all those before number `cut`."""

    conversation_id: int
    cut: int
    count: int


def plan_trim(session: Session, conversation: Conversation, keep_last: int) -> Trim:
    """Tell which messages go when the last `keep_last` stay (all of them stay with 0)."""
    theirs = Message.conversation_id == conversation.id
    oldest_kept = session.scalar(
        select(Message.seq).where(theirs).order_by(Message.seq.desc()).offset(keep_last - 1).limit(1)
        if keep_last
        else select(func.min(Message.seq)).where(theirs)
    )
    cut = oldest_kept or 0
    count = session.scalars(select(func.count()).where(theirs, Message.seq < cut)).one()
    return Trim(conversation.id, cut, count)


def plan_clearing(conversation: Conversation) -> Trim:
    """Tell what goes when all messages that are there now go."""
    return Trim(conversation.id, conversation.last_event + 1, conversation.message_count)


def trim(plan: Trim) -> Iterator[int]:
    """Carry out the plan, batch by batch, and yield how many messages each removed.

    Numbers are never lowered; the floor is raised to the last message that went. The keys stay, for a repetition that
    comes late.
    """
    while removed := write(_remove_some(plan)):
        yield removed
        time.sleep(PAUSE)
    write(_forget_old_keys)


def _remove_some(plan: Trim) -> Callable[[Transaction], int]:
    def remove(transaction: Transaction) -> int:
        session = transaction.session
        conversation = session.get(Conversation, plan.conversation_id, with_for_update=True)
        doomed = session.execute(
            select(Message.id, Message.seq)
            .where(Message.conversation_id == plan.conversation_id, Message.seq < plan.cut)
            .order_by(Message.seq)
            .limit(BATCH)
        ).all()
        if conversation is None or not doomed:
            return 0
        last = doomed[-1].seq
        these = (Message.conversation_id == plan.conversation_id, Message.seq <= last)
        session.execute(
            insert(RetiredKey).from_select(
                ["client_id", "sender_id", "conversation_id", "seq", "retired_at"],
                select(
                    Message.client_id,
                    Message.sender_id,
                    Message.conversation_id,
                    Message.seq,
                    literal(now(), RetiredKey.retired_at.type),
                ).where(*these, Message.client_id.is_not(None), Message.sender_id.is_not(None)),
            )
        )
        session.execute(delete(Message).where(*these))
        conversation.floor = last
        conversation.message_count -= len(doomed)
        session.flush()
        transaction.send_on_commit(timeline_trimmed, Head.of(conversation))
        return len(doomed)

    return remove


def _forget_old_keys(transaction: Transaction) -> None:
    transaction.session.execute(delete(RetiredKey).where(RetiredKey.retired_at < now() - KEY_LIFETIME))
