"""Posting: the write that the product is about."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, cast
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import Table, and_, insert, select, tuple_
from sqlalchemy.orm import Session

from chatapp.actors import Actor, find_active_tokens
from chatapp.conversations.names import ConversationName, parse_name
from chatapp.conversations.people import Person
from chatapp.conversations.policy import authorize_posting
from chatapp.errors import Archived, ChatError, Invalid, SignedOut
from chatapp.failpoints import failpoint
from chatapp.models import (
    Conversation,
    LoginSession,
    Membership,
    Message,
    RetiredKey,
    User,
    now,
)
from chatapp.storage import DeferredSignal, Key, SpoolableChange, Transaction, current_writer, write
from chatapp.timeline.content import check_content
from chatapp.timeline.mentions import Draft, find_mentions, store_mentions
from chatapp.timeline.messages import TimelineMessage, fetch_message, next_seq
from chatapp.timeline.signals import (
    MessageRejected,
    MessagesStored,
    message_pending,
    message_posted,
    message_rejected,
    message_saved,
    messages_stored,
)

MESSAGES = cast(Table, Message.__table__)

KEY_LENGTH = 255
"""Characters of an `Idempotency-Key` at the most."""


def check_client_id(value: object) -> str:
    """Give a client id in its canonical form. Raises `Invalid` when it is no UUID."""
    try:
        if isinstance(value, str):
            return str(UUID(value))
    except ValueError:
        pass
    raise Invalid("client_id must be a UUID such as “0e8a4ff2-3c1b-4a57-9d0e-5f2c8f0a1b2c”.")


def client_id_of(idempotency_key: str) -> str:
    """Give the client id that the header `Idempotency-Key` stands for: the UUID that it is, or one made of it.

    Raises `Invalid` for an empty or an endless one.
    """
    # The draft of the standard writes the value in quotation marks.
    key = idempotency_key.strip().removeprefix('"').removesuffix('"')
    if not 1 <= len(key) <= KEY_LENGTH:
        raise Invalid(f"Idempotency-Key has 1 to {KEY_LENGTH} characters.")
    try:
        return str(UUID(key))
    except ValueError:
        return str(uuid5(NAMESPACE_URL, f"urn:chatapp:idempotency-key:{key}"))


def post(
    conversation: ConversationName,
    actor: Actor,
    *,
    content: object,
    client_id: object,
    admitted: Person | None = None,
) -> TimelineMessage:
    """Store a message and give it as it stands, once it is durable.

    A second arrival under the same `client_id` is answered with the first one's message, whatever that says now. While
    the database is away a message is durable in the spool, and given as `is_pending`, if the sender is `admitted`: let
    into the conversation before.

    Raises what `check_content`, `check_client_id` and `authorize_posting` raise, and `SignedOut`, `Busy`,
    `Unavailable`.
    """
    checked = check_content(content)
    return write(Post(conversation, actor, checked, check_client_id(client_id), now(), admitted))


def store_bot_message(
    transaction: Transaction, conversation: Conversation, name: str, content: str, client_id: str | None
) -> TimelineMessage:
    """Store what a bot called `name` says, within a change of the caller's, and give it.

    A second arrival under the same `client_id` is answered with the first one's message. Raises `Archived`.
    """
    session = transaction.session
    session.refresh(conversation, with_for_update=True)
    if conversation.is_archived:
        raise Archived("This room is archived: nothing can be posted to it.")
    known = select(Message.id).where(
        Message.client_id == client_id, Message.sender_id.is_(None), Message.conversation_id == conversation.id
    )
    if client_id is not None and (message_id := session.scalars(known).one_or_none()) is not None:
        return fetch_message(session, conversation, message_id)
    message = add_message(
        session, conversation, sender_type="system", sender_name=name, content=content, client_id=client_id
    )
    (people,) = find_mentions(session, [Draft(conversation, None, 0, content)])
    store_mentions(session, ((conversation.id, message.id, message.seq, person) for person in people))
    stored = fetch_message(session, conversation, message.id)
    transaction.send_on_commit(message_posted, stored)
    messages_stored.send(MessagesStored(transaction, [stored]))
    return stored


def add_message(session: Session, conversation: Conversation, **columns: Any) -> Message:
    """Insert a message that no person sends, under the conversation's next number. The conversation must be locked."""
    number = next_seq(conversation)
    conversation.message_count += 1
    message = Message(conversation_id=conversation.id, seq=number, version=number, **columns)
    session.add(message)
    session.flush()
    return message


def list_pending(conversation: Conversation) -> list[TimelineMessage]:
    """List the conversation's messages that wait in this process' spool, in the order of their arrival."""
    pending: list[TimelineMessage] = current_writer().list_pending()
    return [message for message in pending if message.conversation.id == conversation.id]


@dataclass(frozen=True, slots=True)
class Post(SpoolableChange[TimelineMessage]):
    """A message on its way into a conversation."""

    conversation: ConversationName
    actor: Actor
    content: str
    client_id: str
    created_at: datetime
    admitted: Person | None = None
    was_spooled: bool = False

    @property
    def key(self) -> Key:
        """The key under which the message is stored once, however often it arrives."""
        return self.client_id, self.actor.user_id

    @classmethod
    def apply_batch(cls, transaction: Transaction, changes: Sequence[Any]) -> Sequence[TimelineMessage | ChatError]:
        """Store the posts in their order, each with the next number of its conversation."""
        batch = _Batch(transaction.session, changes)
        taken = [batch.take(post) for post in changes]
        failpoint("before-insert")
        stored = batch.store()
        outcomes = [stored[each] if isinstance(each, int) else each for each in taken]
        if any(post.was_spooled for post in changes):
            # What has waited is told what it became, be it that a commit of unknown end had stored it before.
            for outcome in outcomes:
                if isinstance(outcome, TimelineMessage):
                    transaction.send_on_commit(message_saved, outcome)
        else:
            for message in stored:
                transaction.send_on_commit(message_posted, message)
        if stored:
            # After their own deferred_signals: what is stored because of them is announced behind them.
            messages_stored.send(MessagesStored(transaction, stored))
        return outcomes

    def pending(self) -> TimelineMessage | None:
        """Give the message without its number, if its sender was let in before."""
        if self.admitted is None:
            return None
        return TimelineMessage(
            conversation=self.conversation,
            sender=self.admitted,
            content=self.content,
            client_id=self.client_id,
            created_at=self.created_at,
            is_pending=True,
        )

    def pending_signal(self, pending: TimelineMessage) -> DeferredSignal[Any]:
        """Tell the others what was said."""
        return DeferredSignal(message_pending, pending)

    def rejected_signal(self, reason: str) -> DeferredSignal[Any]:
        """Tell that it will not stand in the conversation."""
        return DeferredSignal(
            message_rejected, MessageRejected(self.conversation, self.actor.user_id, self.client_id, reason)
        )

    def to_fields(self) -> dict[str, object]:
        """Give what the spool keeps."""
        return {
            "conversation": self.conversation.wire_name,
            "content": self.content,
            "client_id": self.client_id,
            "created_at": self.created_at.isoformat(),
            "sender": self.admitted and asdict(self.admitted),
        }

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> "Post":
        """Make the post of what the spool kept. That its sender has signed out since does not matter any more."""
        sender = Person(**fields["sender"])
        return cls(
            conversation=parse_name(fields["conversation"]),
            actor=Actor(sender.id),
            content=fields["content"],
            client_id=fields["client_id"],
            created_at=datetime.fromisoformat(fields["created_at"]),
            admitted=sender,
            was_spooled=True,
        )


class _Batch:
    """Posts and what they have to be held against: one query for each table, however many the posts are.

    New rows are inserted by one statement, as values: to make an object of each would cost more than the rest.
    """

    def __init__(self, session: Session, posts: Sequence[Post]) -> None:
        self._session = session
        # Conversations first, and in one order in every process: their locks are what makes the numbers' order.
        self._conversations = {
            conversation.id: conversation
            for conversation in session.scalars(
                select(Conversation)
                .where(Conversation.id.in_({post.conversation.id for post in posts}))
                .order_by(Conversation.id)
                .with_for_update()
                .execution_options(populate_existing=True)
            )
        }
        self._memberships = {
            (membership.conversation_id, membership.user_id): membership
            for membership in session.scalars(
                select(Membership)
                .where(
                    tuple_(Membership.conversation_id, Membership.user_id).in_(
                        {(post.conversation.id, post.actor.user_id) for post in posts}
                    )
                )
                .execution_options(populate_existing=True)
            )
        }
        session_ids = {post.actor.login_session_id for post in posts if post.actor.login_session_id is not None}
        senders = session.execute(
            select(User.id, User.username, User.name, LoginSession.id)
            .outerjoin(LoginSession, and_(LoginSession.user_id == User.id, LoginSession.id.in_(session_ids)))
            .where(User.id.in_({post.actor.user_id for post in posts}), User.is_active)
        ).all()
        self._senders = {user_id: Person(user_id, username, name) for user_id, username, name, _ in senders}
        self._sessions = {session_id for _, _, _, session_id in senders}
        self._tokens = find_active_tokens(session, [post.actor for post in posts])
        self._known = _find_known(session, {post.key for post in posts})
        self._new: list[dict[str, Any]] = []
        self._new_by_key: dict[Key, int] = {}

    def take(self, post: Post) -> TimelineMessage | ChatError | int:
        """Give the message that the post is already, the error that refuses it, or its place among the new ones."""
        if post.key in self._new_by_key:
            return self._new_by_key[post.key]
        if post.key in self._known:
            return self._present(self._known[post.key])
        if not self._is_signed_in(post.actor):
            return SignedOut("You are signed out. Sign in again to send this.")
        try:
            conversation = authorize_posting(
                self._find(post.conversation),
                self._memberships.get((post.conversation.id, post.actor.user_id)),
            )
        except ChatError as error:
            return error
        number = next_seq(conversation)
        conversation.message_count += 1
        self._new_by_key[post.key] = len(self._new)
        self._new.append(
            {
                "conversation_id": conversation.id,
                "seq": number,
                "version": number,
                "sender_id": post.actor.user_id,
                "sender_type": "user",
                "message_type": "text",
                "content": post.content,
                "client_id": post.client_id,
                "created_at": post.created_at,
            }
        )
        return self._new_by_key[post.key]

    def store(self) -> Sequence[TimelineMessage]:
        """Insert the new ones and give them."""
        self._session.flush()
        if not self._new:
            return []
        # In whichever order they come back: asked for in ours, SQLite's would be inserted one by one.
        statement = insert(MESSAGES).returning(MESSAGES.c.id, MESSAGES.c.conversation_id, MESSAGES.c.seq)
        inserted = self._session.connection().execute(statement, self._new)
        ids_by_place = {(conversation_id, seq): message_id for message_id, conversation_id, seq in inserted}
        ids = [ids_by_place[row["conversation_id"], row["seq"]] for row in self._new]
        mentions = find_mentions(self._session, [self._draft(row) for row in self._new])
        store_mentions(
            self._session,
            (
                (row["conversation_id"], message_id, row["seq"], person)
                for row, message_id, people in zip(self._new, ids, mentions, strict=True)
                for person in people
            ),
        )
        return [
            TimelineMessage(
                conversation=ConversationName.of(self._conversations[row["conversation_id"]]),
                id=message_id,
                seq=row["seq"],
                version=row["version"],
                sender=self._senders[row["sender_id"]],
                content=row["content"],
                client_id=row["client_id"],
                created_at=row["created_at"],
                mentions=people,
            )
            for message_id, row, people in zip(ids, self._new, mentions, strict=True)
        ]

    def _draft(self, row: dict[str, Any]) -> Draft:
        conversation_id, sender_id = row["conversation_id"], row["sender_id"]
        return Draft(
            self._conversations[conversation_id],
            self._memberships.get((conversation_id, sender_id)),
            sender_id,
            row["content"],
        )

    def _find(self, name: ConversationName) -> Conversation | None:
        conversation = self._conversations.get(name.id)
        return conversation if conversation is not None and ConversationName.of(conversation) == name else None

    def _is_signed_in(self, actor: Actor) -> bool:
        return (
            actor.user_id in self._senders
            and (actor.login_session_id is None or actor.login_session_id in self._sessions)
            and (actor.token_id is None or actor.token_id in self._tokens)
        )

    def _present(self, row: Message | RetiredKey) -> TimelineMessage:
        # A known key may be that of a message elsewhere.
        conversation = self._session.get_one(Conversation, row.conversation_id)
        if isinstance(row, Message):
            return fetch_message(self._session, conversation, row.id)
        return TimelineMessage.removed(row, self._senders.get(row.sender_id), ConversationName.of(conversation))


def _find_known(session: Session, keys: Iterable[Key]) -> dict[Key, Message | RetiredKey]:
    """Find what is stored under the keys already, or was until a cleanup removed it."""
    client_ids = {client_id for client_id, _ in keys}
    retired = session.scalars(select(RetiredKey).where(RetiredKey.client_id.in_(client_ids)))
    stored = session.scalars(select(Message).where(Message.client_id.in_(client_ids)))
    rows: list[Message | RetiredKey] = [*retired, *stored]
    return {(row.client_id, row.sender_id): row for row in rows if row.client_id and row.sender_id}
