"""A batch of posts: authorized and inserted with one query for each table, however many posts there are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, and_, bindparam, insert, select, tuple_
from sqlalchemy.orm import Session

from chatapp.actors import Actor, find_active_tokens, is_admin
from chatapp.conversations.people import Person
from chatapp.conversations.policy import authorize_notice, authorize_posting, may_read
from chatapp.conversations.refs import ConversationRef
from chatapp.errors import ChatError, InvalidReply, SignedOut
from chatapp.models import Conversation, LoginSession, Membership, Message, RetiredKey, User
from chatapp.storage import IdempotencyKey, Transaction
from chatapp.timeline.content import NOTICE, TEXT
from chatapp.timeline.event_numbers import lock_conversations, new_message_columns
from chatapp.timeline.mentions import Draft, resolve_mentions, store_mentions
from chatapp.timeline.messages import TimelineMessage, fetch_message
from chatapp.timeline.metadata import Metadata

MESSAGES = cast(Table, Message.__table__)

# These statements are built once: building one takes as long as executing it.

# With `sort_by_parameter_order` SQLite would insert the rows one by one.
_INSERT = insert(MESSAGES).returning(MESSAGES.c.id, MESSAGES.c.conversation_id, MESSAGES.c.seq)

_MEMBERSHIPS = (
    select(Membership)
    .where(tuple_(Membership.conversation_id, Membership.user_id).in_(bindparam("keys", expanding=True)))
    .execution_options(populate_existing=True)
)

_STORED = select(Message).where(Message.client_id.in_(bindparam("client_ids", expanding=True)))

_RETIRED = select(RetiredKey).where(RetiredKey.client_id.in_(bindparam("client_ids", expanding=True)))


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message that somebody posts: what a batch needs to know of it."""

    conversation: ConversationRef
    actor: Actor
    content: str
    client_id: str
    created_at: datetime
    message_type: str = TEXT
    metadata: Metadata | None = field(default=None, hash=False)
    reply_to: int | None = None
    was_spooled: bool = False

    @property
    def key(self) -> IdempotencyKey:
        """The unique key of the message: it is stored once, however often it arrives."""
        return self.client_id, self.actor.user_id


@dataclass(frozen=True, slots=True)
class Accepted:
    """The post is stored by `insert`, as the message at this index of its result."""

    index: int


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A message with the key of the post is stored already. Its sender gets `message`."""

    message: TimelineMessage


@dataclass(frozen=True, slots=True)
class Rejected:
    """The post is not stored."""

    error: ChatError


class PostBatch:
    """Authorizes and inserts posts. Call `add` for each post in order, then `insert` once.

    Rows are inserted as values by one statement: creating an ORM object for each would take most of the time.
    """

    def __init__(self, transaction: Transaction, posts: Sequence[NewMessage]) -> None:
        self._transaction = transaction
        self._session = session = transaction.session
        self._conversations = lock_conversations(session, {post.conversation.id for post in posts})
        self._memberships = _find_memberships(session, {(post.conversation.id, post.actor.user_id) for post in posts})
        login_session_ids = {post.actor.login_session_id for post in posts} - {None}
        # Built each time: it contains the current time.
        senders = session.execute(
            select(User.id, User.username, User.name, LoginSession.id)
            .outerjoin(
                LoginSession,
                and_(LoginSession.user_id == User.id, LoginSession.id.in_(login_session_ids), LoginSession.is_valid()),
            )
            .where(User.id.in_({post.actor.user_id for post in posts}), User.is_active)
        ).all()
        self._senders = {user_id: Person(user_id, username, name) for user_id, username, name, _ in senders}
        self._login_session_ids = {login_session_id for _, _, _, login_session_id in senders}
        self._token_ids = find_active_tokens(session, [post.actor for post in posts])
        self._known = _find_known(session, {post.key for post in posts})
        self._reply_targets = _find_reply_targets(session, posts)
        self._rows: list[dict[str, Any]] = []
        self._refs: list[ConversationRef] = []
        self._index_by_key: dict[IdempotencyKey, int] = {}

    def add(self, post: NewMessage) -> Accepted | Duplicate | Rejected:
        """Authorize the post and assign an event number to it, unless it is a duplicate or rejected."""
        known = self._known.get(post.key)
        if known and post.was_spooled:
            # Its sender was acknowledged before. This broadcasts it to the people who may read it.
            return Duplicate(self._load_known(known))
        if not self._is_active(post.actor):
            return Rejected(SignedOut("You are signed out. Sign in again to send this."))
        if post.key in self._index_by_key:
            return Accepted(self._index_by_key[post.key])
        if known:
            # A sender who may no longer read the message gets only a confirmation.
            return Duplicate(self._load_known(known) if self._may_read(known) else self._make_confirmation(post, known))
        try:
            membership = self._memberships.get((post.conversation.id, post.actor.user_id))
            conversation = authorize_posting(self._conversations.get(post.conversation), membership)
            if post.message_type == NOTICE:
                authorize_notice(conversation, membership, is_admin=is_admin(self._session, post.actor))
            reply_to = self._find_reply_target(post)
        except ChatError as error:
            return Rejected(error)
        index = self._index_by_key[post.key] = len(self._rows)
        self._refs.append(post.conversation)
        self._rows.append(
            new_message_columns(
                self._transaction,
                conversation,
                sender_id=post.actor.user_id,
                sender_type="user",
                message_type=post.message_type,
                content=post.content,
                client_id=post.client_id,
                created_at=post.created_at,
                extra=post.metadata,
                reply_to=reply_to,
            )
        )
        return Accepted(index)

    def insert(self) -> Sequence[TimelineMessage]:
        """Insert the accepted messages and return them."""
        self._session.flush()
        if not self._rows:
            return []
        inserted = self._session.connection().execute(_INSERT, self._rows)
        ids_by_seq = {(conversation_id, seq): message_id for message_id, conversation_id, seq in inserted}
        ids = [ids_by_seq[row["conversation_id"], row["seq"]] for row in self._rows]
        mentions = resolve_mentions(self._session, [self._draft(ref, row) for ref, row in self._rows_with_refs()])
        store_mentions(
            self._session,
            (
                (row["conversation_id"], message_id, row["seq"], person)
                for row, message_id, people in zip(self._rows, ids, mentions, strict=True)
                for person in people
            ),
        )
        return [
            TimelineMessage(
                conversation=ref,
                id=message_id,
                seq=row["seq"],
                version=row["version"],
                sender=self._senders[row["sender_id"]],
                message_type=row["message_type"],
                content=row["content"],
                client_id=row["client_id"],
                created_at=row["created_at"],
                mentions=people,
                metadata=row["extra"],
                reply_to=row["reply_to"],
            )
            for (ref, row), message_id, people in zip(self._rows_with_refs(), ids, mentions, strict=True)
        ]

    def _rows_with_refs(self) -> Iterable[tuple[ConversationRef, dict[str, Any]]]:
        return zip(self._refs, self._rows, strict=True)

    def _draft(self, ref: ConversationRef, row: dict[str, Any]) -> Draft:
        sender_id = row["sender_id"]
        return Draft(self._conversations[ref], self._memberships.get((ref.id, sender_id)), sender_id, row["content"])

    def _is_active(self, actor: Actor) -> bool:
        return (
            actor.user_id in self._senders
            and (actor.login_session_id is None or actor.login_session_id in self._login_session_ids)
            and (actor.token_id is None or actor.token_id in self._token_ids)
        )

    def _find_reply_target(self, post: NewMessage) -> int | None:
        """Return the `seq` that the post replies to, if that message exists. Raises `InvalidReply`.

        A post from the spool was acknowledged: it becomes no reply instead.
        """
        if post.reply_to is None or (post.conversation.id, post.reply_to) in self._reply_targets:
            return post.reply_to
        if post.was_spooled:
            return None
        raise InvalidReply("The message that this replies to does not exist in this conversation, or was deleted.")

    def _may_read(self, row: Message | RetiredKey) -> bool:
        membership = self._session.get(Membership, (row.conversation_id, row.sender_id), populate_existing=True)
        return may_read(self._session.get_one(Conversation, row.conversation_id), membership)

    def _make_confirmation(self, post: NewMessage, row: Message | RetiredKey) -> TimelineMessage:
        """Return the post with the number under which it is stored, and nothing of the message's current state."""
        conversation = self._session.get_one(Conversation, row.conversation_id)
        return TimelineMessage(
            conversation=ConversationRef.of(conversation),
            seq=row.seq,
            version=row.seq,
            sender=self._senders[post.actor.user_id],
            message_type=post.message_type,
            content=post.content,
            client_id=post.client_id,
            created_at=post.created_at,
            metadata=post.metadata,
            reply_to=post.reply_to,
        )

    def _load_known(self, row: Message | RetiredKey) -> TimelineMessage:
        # It may be a message of another conversation.
        conversation = self._session.get_one(Conversation, row.conversation_id)
        if isinstance(row, Message):
            return fetch_message(self._session, conversation, row.id)
        return TimelineMessage.of_retired_key(row, self._senders.get(row.sender_id), ConversationRef.of(conversation))


def _find_memberships(session: Session, keys: set[tuple[int, int]]) -> dict[tuple[int, int], Membership]:
    memberships = session.scalars(_MEMBERSHIPS, {"keys": list(keys)})
    return {(membership.conversation_id, membership.user_id): membership for membership in memberships}


def _find_reply_targets(session: Session, posts: Iterable[NewMessage]) -> set[tuple[int, int]]:
    """Return the conversation's id and `seq` of the messages that exist of those that the posts reply to."""
    keys = {(post.conversation.id, post.reply_to) for post in posts if post.reply_to is not None}
    if not keys:
        return set()
    rows = session.execute(
        select(Message.conversation_id, Message.seq).where(
            tuple_(Message.conversation_id, Message.seq).in_(keys), Message.deleted_at.is_(None)
        )
    )
    return {(conversation_id, seq) for conversation_id, seq in rows}


def _find_known(session: Session, keys: Iterable[IdempotencyKey]) -> dict[IdempotencyKey, Message | RetiredKey]:
    """Find the messages that are stored under the keys, and the retired keys of removed messages."""
    parameters = {"client_ids": list({client_id for client_id, _ in keys})}
    rows: list[Message | RetiredKey] = [*session.scalars(_RETIRED, parameters), *session.scalars(_STORED, parameters)]
    return {(row.client_id, row.sender_id): row for row in rows if row.client_id and row.sender_id}
