"""Saved messages: a private list of each person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, bindparam, delete, func, select
from sqlalchemy.orm import Session

from chatapp.actors import Actor, require_active_login
from chatapp.config import current_settings
from chatapp.conversations.policy import authorize_reading, may_read
from chatapp.conversations.queries import find_access_of
from chatapp.conversations.refs import ConversationRef
from chatapp.conversations.service import lock_people
from chatapp.errors import Conflict, NotFound
from chatapp.limits.rates import SAVES, count_use
from chatapp.models import Conversation, Membership, Message, SavedMessage
from chatapp.storage import Key, Keyset, ListPage, ReadStatement, Transaction, read_natively, write
from chatapp.timeline.messages import TimelineMessage, fetch_messages_of
from chatapp.timeline.signals import SavedChanged, saved_changed

_SELECT_SEQS = ReadStatement(
    select(SavedMessage.seq)
    .where(SavedMessage.user_id == bindparam("user_id"), SavedMessage.conversation_id == bindparam("conversation_id"))
    .order_by(SavedMessage.seq)
)

_SAVED_LAST_FIRST = Keyset(Key(SavedMessage.id, is_descending=True))

_IS_SAVED = and_(
    SavedMessage.user_id == bindparam("user_id"),
    SavedMessage.conversation_id == bindparam("conversation_id"),
    SavedMessage.seq == bindparam("seq"),
)


@dataclass(frozen=True, slots=True)
class SavedEntry:
    """A message that a person has saved, as they may read it now."""

    id: int
    ref: ConversationRef
    seq: int
    saved_at: datetime
    conversation: Conversation | None
    """None if the person may no longer read it."""
    message: TimelineMessage | None
    """None if the person may no longer read it, or if it was deleted or removed."""


def save(ref: ConversationRef, actor: Actor, seq: int, *, on: bool) -> None:
    """Save a message in the actor's private list, or remove it from there (`on` false).

    Everything can be removed, also what the actor may no longer read. Raises `SignedOut`, `RateLimited`, and for saving
    what `authorize_reading` raises, `NotFound`, and `Conflict` if the message was deleted or the list is full.
    """
    count_use(SAVES, actor.user_id)
    limit = current_settings().max_saved_messages
    key = {"user_id": actor.user_id, "conversation_id": ref.id, "seq": seq}

    def change(transaction: Transaction) -> None:
        session = transaction.session
        if on:
            conversation = authorize_reading(*find_access_of(session, ref, actor))
            has_changed = _store(session, conversation, actor.user_id, seq, limit)
        else:
            require_active_login(session, actor)
            has_changed = bool(session.connection().execute(delete(SavedMessage).where(_IS_SAVED), key).rowcount)
        if has_changed:
            transaction.send_on_commit(saved_changed, SavedChanged(actor.user_id, ref, seq, is_saved=on))

    write(change)


def list_saved_seqs(session: Session, user_id: int, conversation_id: int) -> Sequence[int]:
    """Return the numbers of those messages of a conversation that a person has saved, in order."""
    rows = _SELECT_SEQS.fetch(session, user_id=user_id, conversation_id=conversation_id)
    return [seq for (seq,) in rows]


def read_saved(
    session: Session, user_id: int, *, before: str | None = None, after: str | None = None, limit: int
) -> ListPage[SavedEntry]:
    """Return a page of the messages that a person has saved, saved last first."""
    return read_natively(session, lambda reading: _read(reading, user_id, before, after, limit))


def count_saved(session: Session, user_id: int) -> int:
    """Count the messages that a person has saved."""
    return session.scalars(select(func.count()).where(SavedMessage.user_id == user_id)).one()


def _store(session: Session, conversation: Conversation, user_id: int, seq: int, limit: int) -> bool:
    """Add a message to a person's list, and return whether it was not there."""
    message = session.scalars(
        select(Message).where(Message.conversation_id == conversation.id, Message.seq == seq)
    ).one_or_none()
    if message is None:
        raise NotFound("There is no such message.")
    if message.deleted_at is not None:
        raise Conflict("This message was deleted.")
    # Two processes cannot add to the list at the same time.
    session.execute(lock_people([user_id]))
    key = {"user_id": user_id, "conversation_id": conversation.id, "seq": seq}
    if session.execute(select(SavedMessage.id).where(_IS_SAVED), key).first() is not None:
        return False
    if count_saved(session, user_id) >= limit:
        raise Conflict(f"You have saved {limit:,} messages, which is the limit. Remove some of them first.")
    session.add(SavedMessage(**key))
    return True


def _read(session: Session, user_id: int, before: str | None, after: str | None, limit: int) -> ListPage[SavedEntry]:
    query = (
        select(SavedMessage, Conversation, Membership, Message.id.label("message_id"), Message.deleted_at)
        .join(Conversation, Conversation.id == SavedMessage.conversation_id)
        .outerjoin(
            Membership,
            and_(
                Membership.conversation_id == SavedMessage.conversation_id, Membership.user_id == SavedMessage.user_id
            ),
        )
        .outerjoin(
            Message,
            and_(Message.conversation_id == SavedMessage.conversation_id, Message.seq == SavedMessage.seq),
        )
        .where(SavedMessage.user_id == user_id)
    )
    page = _SAVED_LAST_FIRST.read(session, query, before=before, after=after, limit=limit)
    return page.map(lambda rows: _load(session, rows))


def _load(session: Session, rows: Sequence[Row[Any]]) -> Sequence[SavedEntry]:
    refs = {
        row.message_id: ConversationRef.of(row.Conversation)
        for row in rows
        if row.message_id is not None and row.deleted_at is None and may_read(row.Conversation, row.Membership)
    }
    messages = fetch_messages_of(session, refs)
    return [
        SavedEntry(
            row.SavedMessage.id,
            ConversationRef.of(row.Conversation),
            row.SavedMessage.seq,
            row.SavedMessage.saved_at,
            row.Conversation if may_read(row.Conversation, row.Membership) else None,
            messages.get(row.message_id),
        )
        for row in rows
    ]
