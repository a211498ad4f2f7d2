"""Event numbers: the order of the changes in a conversation's timeline.

Each change takes the next number in its own transaction, while the conversation's row is locked. A message has the
number of its creation (`seq`) and of its last change (`version`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, cast

from sqlalchemy import Select, Table, bindparam, select, update
from sqlalchemy.orm import Session

from chatapp.conversations.refs import ConversationRef, make_ref
from chatapp.models import Conversation, now
from chatapp.search.tokens import TOKENIZER_VERSION
from chatapp.storage import INTEGER, BulkStatement, ReadStatement, Transaction, encode_rows, parameter_rows

CONVERSATIONS = cast(Table, Conversation.__table__)

_IDS = parameter_rows("ids", id=INTEGER)


def _locked(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    # All processes lock in the order of the ids, so that they cannot deadlock.
    column = CONVERSATIONS.c.id
    return query.where(column.in_(select(_IDS.c.id))).order_by(column).with_for_update(key_share=True)


# Built once: building a statement takes as long as executing it.
_LOCKED_ROWS = _locked(select(Conversation)).execution_options(populate_existing=True)

_LOCKED_COLUMNS = ReadStatement(
    _locked(
        select(
            *(CONVERSATIONS.c[name] for name in ("id", "kind", "last_event", "message_count", "visibility")),
            CONVERSATIONS.c.indexed_event,
            CONVERSATIONS.c.indexed_tokenizer,
            CONVERSATIONS.c.ended_at.is_not(None),
        )
    )
)

_NUMBERS = parameter_rows(
    "numbers", id=INTEGER, last_event=INTEGER, message_count=INTEGER, indexed_event=INTEGER, indexed_tokenizer=INTEGER
)

_UPDATE = BulkStatement(
    update(CONVERSATIONS)
    .where(CONVERSATIONS.c.id == _NUMBERS.c.id)
    .values(
        last_event=_NUMBERS.c.last_event,
        message_count=_NUMBERS.c.message_count,
        indexed_event=_NUMBERS.c.indexed_event,
        indexed_tokenizer=_NUMBERS.c.indexed_tokenizer,
        updated_at=bindparam("updated_at"),
    ),
    (),
)


class NumberedConversation(Protocol):
    """A locked conversation that takes event numbers: its row, or a `LockedConversation`."""

    id: int
    last_event: int
    message_count: int
    indexed_event: int
    indexed_tokenizer: int
    updated_at: datetime


@dataclass(slots=True)
class LockedConversation:
    """The columns of a locked conversation that a batch of posts uses. Rows of the ORM take ten times as long."""

    id: int
    kind: str
    last_event: int
    message_count: int
    visibility: str
    indexed_event: int
    indexed_tokenizer: int
    is_archived: bool
    """Whether it is read-only."""
    updated_at: datetime = field(default_factory=now)

    @property
    def is_private(self) -> bool:
        """Whether only invited users may see it."""
        return self.visibility == "private"


def lock_conversations(session: Session, ids: Collection[int]) -> dict[ConversationRef, Conversation]:
    """Lock conversations until the transaction ends, and return their rows with the current columns."""
    conversations = session.scalars(_LOCKED_ROWS, {"ids": encode_rows((each,) for each in ids)})
    return {ConversationRef.of(conversation): conversation for conversation in conversations}


def lock_conversation(session: Session, conversation_id: int) -> Conversation | None:
    """Lock one conversation: see `lock_conversations`."""
    return next(iter(lock_conversations(session, [conversation_id]).values()), None)


def lock_columns(session: Session, ids: Collection[int]) -> dict[ConversationRef, LockedConversation]:
    """Lock conversations like `lock_conversations`, but return only columns. `store_event_numbers` updates the rows."""
    rows = _LOCKED_COLUMNS.fetch(session, ids=encode_rows((each,) for each in ids))
    locked = (LockedConversation(*row) for row in rows)
    return {make_ref(conversation.kind, conversation.id): conversation for conversation in locked}


def store_event_numbers(session: Session, conversations: Sequence[LockedConversation]) -> None:
    """Update the rows of conversations that have taken event numbers, all to the time of the last one."""
    numbers = encode_rows(
        (each.id, each.last_event, each.message_count, each.indexed_event, each.indexed_tokenizer)
        for each in conversations
    )
    updated_at = max(each.updated_at for each in conversations)
    _UPDATE.execute(session.connection(), [{"numbers": numbers, "updated_at": updated_at}])
    # Rows that the session has loaded are stale.
    session.expire_all()


def increment_last_event(transaction: Transaction, conversation: NumberedConversation) -> int:
    """Increment the last event number of a locked conversation and return it: a new `seq` or `version`.

    The caller indexes for the search what the event changes. If the index is complete up to the previous event, it is
    then complete up to this one. Otherwise `chatapp.search.filling` completes it.
    """
    indexed = conversation.indexed_event, conversation.indexed_tokenizer
    conversation.last_event += 1
    if conversation.last_event == 1 or indexed == (conversation.last_event - 1, TOKENIZER_VERSION):
        conversation.indexed_event, conversation.indexed_tokenizer = conversation.last_event, TOKENIZER_VERSION
    transaction.watermarks[conversation.id] = conversation.last_event
    conversation.updated_at = now()
    return conversation.last_event


def new_message_columns(transaction: Transaction, conversation: NumberedConversation, **columns: Any) -> dict[str, Any]:
    """Take the next event number for a new message of a locked conversation, and return the message's columns.

    The caller inserts the row.
    """
    seq = increment_last_event(transaction, conversation)
    conversation.message_count += 1
    return {"conversation_id": conversation.id, "seq": seq, "version": seq, **columns}
