"""A batch of posts: authorized and inserted with one query for each table, however many posts there are."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, and_, func, insert, select, tuple_
from sqlalchemy.orm import Session

from chatapp.actors import Actor, find_active_tokens, is_admin
from chatapp.conversations.people import Person
from chatapp.conversations.policy import authorize_notice, authorize_posting, may_read
from chatapp.conversations.refs import ConversationRef
from chatapp.errors import ChatError, InvalidReply, SignedOut, ThreadRemoved
from chatapp.files.attached import AttachedFile
from chatapp.files.rows import store_files
from chatapp.models import Conversation, Membership, Message, RetiredKey
from chatapp.search.index import IndexedMessage, TextTokens, index_messages
from chatapp.storage import (
    INTEGER,
    BulkStatement,
    IdempotencyKey,
    ReadStatement,
    Transaction,
    encode_rows,
    parameter_rows,
)
from chatapp.timeline.content import NOTICE, TEXT
from chatapp.timeline.event_numbers import lock_columns, new_message_columns, store_event_numbers
from chatapp.timeline.mentions import MentionSource, resolve_mentions, store_mentions
from chatapp.timeline.messages import TimelineMessage, fetch_message
from chatapp.timeline.metadata import Metadata
from chatapp.timeline.post_facts import PostFacts, find_post_facts
from chatapp.timeline.thread_replies import Reply, change_roots, find_roots, store_replies

MESSAGES = cast(Table, Message.__table__)

# These statements are built once: building one takes as long as executing it.

COLUMNS = (
    *("conversation_id", "seq", "version", "sender_id", "sender_type", "message_type", "content", "client_id"),
    *("created_at", "extra", "reply_to"),
)

_INSERT = BulkStatement(insert(MESSAGES), COLUMNS)

_INSERT_WITH_REPLIES = BulkStatement(insert(MESSAGES), (*COLUMNS, "thread_root", "is_in_room"))
"""For a batch with replies in threads. The columns of other messages have their defaults."""

_KEYS = parameter_rows("keys", conversation_id=INTEGER, seq=INTEGER)

_IDS = select(MESSAGES.c.conversation_id, MESSAGES.c.seq, MESSAGES.c.id).join_from(
    _KEYS,
    MESSAGES,
    and_(MESSAGES.c.conversation_id == _KEYS.c.conversation_id, MESSAGES.c.seq == _KEYS.c.seq),
)

_LAST_ID = ReadStatement(select(func.last_insert_rowid()))
"""The id of the row that SQLite has inserted last."""


@dataclass(slots=True)
class NewMessage:
    """A message that somebody posts: what a batch needs to know of it. Nothing changes it.

    It is not frozen, as it would take three times as long to create.
    """

    conversation: ConversationRef
    actor: Actor
    content: str
    client_id: str
    created_at: datetime
    message_type: str = TEXT
    metadata: Metadata | None = field(default=None, hash=False)
    reply_to: int | None = None
    thread_seq: int | None = None
    """The `seq` of a message of the thread that it is a reply in: the root, or another reply, as its sender has named
    it. Which thread that is, the batch finds: see `TimelineMessage.thread_root`."""
    is_in_room: bool = True
    """Whether a reply in a thread is also sent to the room."""
    files: tuple[AttachedFile, ...] = ()
    files_error: ChatError | None = field(default=None, hash=False)
    """Why it is not stored, if its files are not available. If it is stored already, they are not needed."""
    was_spooled: bool = False
    request_id: str = ""
    search_tokens: TextTokens | None = field(default=None, hash=False, repr=False)
    """What the search index has of the content, so that the writer does not compute it."""

    @property
    def key(self) -> IdempotencyKey:
        """The unique key of the message: it is stored once, however often it arrives."""
        return self.client_id, self.actor.user_id


@dataclass(slots=True)
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
    """Authorizes and inserts posts. Call `add_posts`, then `insert` once.

    Rows are read and inserted as values: creating an ORM object for each would take most of the time.
    """

    def __init__(self, transaction: Transaction, posts: Sequence[NewMessage]) -> None:
        self._transaction = transaction
        self._session = session = transaction.session
        self._posts = posts
        self._conversations = lock_columns(session, {post.conversation.id for post in posts})
        self._facts = find_post_facts(session, posts)
        self._token_ids = find_active_tokens(session, [post.actor for post in posts])
        self._reply_targets = _find_reply_targets(
            session, {(post.conversation.id, post.reply_to) for post in posts if post.reply_to is not None}
        )
        self._roots = find_roots(
            session, {(post.conversation.id, post.thread_seq) for post in posts if post.thread_seq is not None}
        )
        self._accepted: list[tuple[NewMessage, PostFacts, dict[str, Any]]] = []
        """The accepted posts, each with the columns of its message."""
        self.changed_roots: dict[ConversationRef, set[int]] = {}
        """The roots of the threads of accepted posts, by conversation."""
        self._index_by_key: dict[IdempotencyKey, int] = {}

    def add_posts(self) -> list[Accepted | Duplicate | Rejected]:
        """Authorize the posts in their order and assign event numbers to those that are accepted."""
        return [self._add(post, facts) for post, facts in zip(self._posts, self._facts, strict=True)]

    def _add(self, post: NewMessage, facts: PostFacts) -> Accepted | Duplicate | Rejected:
        known = self._find_known(post, facts)
        if known:
            self._record_watermark(known)
        if known and post.was_spooled:
            # Its sender was acknowledged before. This broadcasts it to the people who may read it.
            return Duplicate(self._load_known(known, facts))
        if facts.sender is None or not self._is_valid(post.actor, facts):
            return Rejected(SignedOut("You are signed out. Sign in again to send this."))
        if post.key in self._index_by_key:
            return Accepted(self._index_by_key[post.key])
        if known:
            # A sender who may no longer read the message gets only a confirmation.
            if self._may_read(known):
                return Duplicate(self._load_known(known, facts))
            return Duplicate(self._make_confirmation(post, facts.sender, known))
        try:
            conversation = authorize_posting(self._conversations.get(post.conversation), facts.membership)
            if post.message_type == NOTICE:
                authorize_notice(conversation, facts.membership, is_admin=is_admin(self._session, post.actor))
            reply_to = self._find_reply_target(post)
            root = self._find_root(post)
            _require_files(post)
        except ChatError as error:
            return Rejected(error)
        columns = new_message_columns(
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
        if root is not None:
            columns |= {"thread_root": root, "is_in_room": post.is_in_room}
            self.changed_roots.setdefault(post.conversation, set()).add(root)
        index = self._index_by_key[post.key] = len(self._accepted)
        self._accepted.append((post, facts, columns))
        return Accepted(index)

    def insert(self) -> Sequence[TimelineMessage]:
        """Insert the accepted messages and return them."""
        if not self._accepted:
            return []
        rows = [columns for _, _, columns in self._accepted]
        if self.changed_roots:
            with_defaults = [{"thread_root": None, "is_in_room": True, **row} for row in rows]
            _INSERT_WITH_REPLIES.execute(self._session.connection(), with_defaults)
        else:
            _INSERT.execute(self._session.connection(), rows)
        ids = self._find_ids(rows)
        index_messages(
            self._session.connection(),
            (
                IndexedMessage(
                    message_id,
                    row["conversation_id"],
                    row["sender_id"],
                    row["created_at"],
                    row["content"],
                    is_reply=row.get("thread_root") is not None,
                    file_names=[file.name for file in post.files],
                    tokens=post.search_tokens,
                )
                for (post, _, row), message_id in zip(self._accepted, ids, strict=True)
            ),
        )
        for ref, roots in self.changed_roots.items():
            change_roots(self._transaction, self._conversations[ref], sorted(roots))
        refs = {post.conversation for post, _, _ in self._accepted}
        store_event_numbers(self._session, [self._conversations[ref] for ref in refs])
        mentions = resolve_mentions(
            self._session, [self._mention_source(post, facts) for post, facts, _ in self._accepted]
        )
        store_mentions(
            self._session,
            (
                (columns["conversation_id"], message_id, columns["seq"], columns.get("is_in_room", True), person)
                for columns, message_id, people in zip(rows, ids, mentions, strict=True)
                for person in people
            ),
        )
        store_files(
            self._session,
            (
                (columns["conversation_id"], message_id, columns["sender_id"], post.files)
                for (post, _, columns), message_id in zip(self._accepted, ids, strict=True)
                if post.files
            ),
        )
        if self.changed_roots:
            store_replies(
                self._session,
                [
                    Reply(
                        (columns["conversation_id"], columns["thread_root"]),
                        columns["seq"],
                        post.actor.user_id,
                        post.created_at,
                        post.content,
                        people,
                    )
                    for (post, _, columns), people in zip(self._accepted, mentions, strict=True)
                    if "thread_root" in columns
                ],
            )
        return [
            TimelineMessage(
                conversation=post.conversation,
                id=message_id,
                seq=columns["seq"],
                version=columns["version"],
                sender=facts.sender,
                message_type=post.message_type,
                content=post.content,
                client_id=post.client_id,
                created_at=post.created_at,
                mentions=people,
                metadata=post.metadata,
                reply_to=columns["reply_to"],
                thread_root=columns.get("thread_root"),
                is_in_room=columns.get("is_in_room", True),
                files=post.files,
                request_id=post.request_id,
            )
            for (post, facts, columns), message_id, people in zip(self._accepted, ids, mentions, strict=True)
        ]

    def _find_ids(self, rows: Sequence[dict[str, Any]]) -> list[int]:
        """Return the ids of the rows that the last statement has inserted.

        To return them itself, it would insert the rows one by one.
        """
        if self._session.connection().dialect.name == "sqlite":
            # Nobody else writes meanwhile, and the table never reuses an id: each row has got the next one.
            ((last_id,),) = _LAST_ID.fetch(self._session)
            return list(range(last_id - len(rows) + 1, last_id + 1))
        keys = [(row["conversation_id"], row["seq"]) for row in rows]
        found = self._session.connection().execute(_IDS, {"keys": encode_rows(keys)}).all()
        ids = {(conversation_id, seq): message_id for conversation_id, seq, message_id in found}
        return [ids[key] for key in keys]

    def _mention_source(self, post: NewMessage, facts: PostFacts) -> MentionSource:
        return MentionSource(self._conversations[post.conversation], facts.membership, post.actor.user_id, post.content)

    def _is_valid(self, actor: Actor, facts: PostFacts) -> bool:
        """Return whether the login session or the token that the actor uses is valid, if there is one."""
        return (actor.login_session_id is None or facts.has_login_session) and (
            actor.token_id is None or actor.token_id in self._token_ids
        )

    def _find_reply_target(self, post: NewMessage) -> int | None:
        """Return the `seq` that the post replies to, if that message exists. Raises `InvalidReply`.

        A post from the spool was acknowledged: it becomes no reply instead.
        """
        if post.reply_to is None or (post.conversation.id, post.reply_to) in self._reply_targets:
            return post.reply_to
        if post.was_spooled:
            return None
        raise _missing_reply_target()

    def _find_root(self, post: NewMessage) -> int | None:
        """Return the root of the thread that the post is a reply in. Raises `ThreadRemoved`.

        A post from the spool was acknowledged: it becomes a message of the room instead.
        """
        if post.thread_seq is None:
            return None
        root = self._roots.get((post.conversation.id, post.thread_seq))
        if root is None and not post.was_spooled:
            raise _missing_root()
        return root

    def _find_known(self, post: NewMessage, facts: PostFacts) -> Message | RetiredKey | None:
        """Return the row that is stored under the post's key: a message, or the retired key of a removed one."""
        if facts.message_id is not None:
            return self._session.get_one(Message, facts.message_id)
        return self._session.get_one(RetiredKey, post.key) if facts.is_retired else None

    def _record_watermark(self, row: Message | RetiredKey) -> None:
        """Record the watermark of a stored post. The outcome of its commit may have been unknown."""
        watermarks = self._transaction.watermarks
        watermarks[row.conversation_id] = max(watermarks.get(row.conversation_id, 0), row.seq)

    def _may_read(self, row: Message | RetiredKey) -> bool:
        membership = self._session.get(Membership, (row.conversation_id, row.sender_id), populate_existing=True)
        return may_read(self._session.get_one(Conversation, row.conversation_id), membership)

    def _make_confirmation(self, post: NewMessage, sender: Person, row: Message | RetiredKey) -> TimelineMessage:
        """Return the post with the number under which it is stored, and nothing of the message's current state."""
        conversation = self._session.get_one(Conversation, row.conversation_id)
        return TimelineMessage(
            conversation=ConversationRef.of(conversation),
            seq=row.seq,
            version=row.seq,
            sender=sender,
            message_type=post.message_type,
            content=post.content,
            client_id=post.client_id,
            created_at=post.created_at,
            metadata=post.metadata,
            reply_to=post.reply_to,
            thread_root=post.thread_seq,
            is_in_room=post.is_in_room,
            files=post.files,
        )

    def _load_known(self, row: Message | RetiredKey, facts: PostFacts) -> TimelineMessage:
        # It may be a message of another conversation.
        ref = ConversationRef.of(self._session.get_one(Conversation, row.conversation_id))
        if isinstance(row, Message):
            return fetch_message(self._session, ref, row.id)
        return TimelineMessage.of_retired_key(row, facts.sender, ref)


def check_place(session: Session, conversation_id: int, *, reply_to: int | None, thread_seq: int | None) -> None:
    """Check that what a message replies to exists. Raises `InvalidReply` and `ThreadRemoved`, as posting it would."""
    if reply_to is not None and not _find_reply_targets(session, {(conversation_id, reply_to)}):
        raise _missing_reply_target()
    if thread_seq is not None and not find_roots(session, {(conversation_id, thread_seq)}):
        raise _missing_root()


def _require_files(post: NewMessage) -> None:
    if post.files_error is not None:
        raise post.files_error


def _missing_reply_target() -> InvalidReply:
    return InvalidReply("The message that this replies to does not exist in this conversation, or was deleted.")


def _missing_root() -> ThreadRemoved:
    return ThreadRemoved("The message that this thread begins with does not exist in this conversation.")


def _find_reply_targets(session: Session, keys: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return those of the pairs of a conversation's id and a `seq` whose message exists."""
    if not keys:
        return set()
    rows = session.execute(
        select(Message.conversation_id, Message.seq).where(
            tuple_(Message.conversation_id, Message.seq).in_(keys), Message.deleted_at.is_(None)
        )
    )
    return {(conversation_id, seq) for conversation_id, seq in rows}
