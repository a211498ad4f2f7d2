"""Messages as immutable values, independent of database sessions and requests."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from sqlalchemy import Row, Select, and_, bindparam, select
from sqlalchemy.orm import Session

from chatapp.conversations.people import PERSON_COLUMNS, Person, make_person
from chatapp.conversations.refs import ConversationRef
from chatapp.files.attached import AttachedFile
from chatapp.files.rows import fetch_files, store_files
from chatapp.models import Attachment, Conversation, Message, Pin, Reaction, RetiredKey, User
from chatapp.search.index import index_rows
from chatapp.storage import Transaction, encode_rows
from chatapp.timeline.content import NOTICE, TEXT
from chatapp.timeline.event_numbers import new_message_columns
from chatapp.timeline.link_previews import PagePreview, fetch_previews
from chatapp.timeline.mentions import fetch_mentions
from chatapp.timeline.metadata import Metadata
from chatapp.timeline.threads import THREAD_KEYS, ThreadSummary, fetch_summaries

REACTION_CHARS = 100
"""What a reaction of one person counts, with the name."""

_MESSAGES, _USERS, _REACTIONS, _PINS = Message.__table__, User.__table__, Reaction.__table__, Pin.__table__
_FILES = Attachment.__table__

# Columns instead of rows of the ORM, which take three times as long to load.
MESSAGE_COLUMNS = (
    *(column.label("extra") if column.key == "extra" else column for column in _MESSAGES.c),
    _USERS.c.username,
    _USERS.c.name,
    _USERS.c.avatar_digest,
    select(_REACTIONS.c.message_id)
    .where(_REACTIONS.c.message_id == _MESSAGES.c.id)
    .correlate(_MESSAGES)
    .exists()
    .label("has_reactions"),
    select(_PINS.c.message_id)
    .where(_PINS.c.message_id == _MESSAGES.c.id)
    .correlate(_MESSAGES)
    .exists()
    .label("is_pinned"),
    select(_FILES.c.message_id)
    .where(_FILES.c.message_id == _MESSAGES.c.id)
    .correlate(_MESSAGES)
    .exists()
    .label("has_files"),
)
"""The columns that `build_messages` needs, of a message and its sender."""

_SELECT = select(*MESSAGE_COLUMNS).select_from(_MESSAGES.outerjoin(_USERS, _USERS.c.id == _MESSAGES.c.sender_id))

_SELECT_BY_SEQ = _SELECT.where(
    _MESSAGES.c.conversation_id == bindparam("conversation_id"),
    _MESSAGES.c.seq.in_(bindparam("seqs", expanding=True)),
)

_SELECT_ROOTS = _SELECT.join(
    THREAD_KEYS,
    and_(_MESSAGES.c.conversation_id == THREAD_KEYS.c.conversation_id, _MESSAGES.c.seq == THREAD_KEYS.c.root_seq),
)

_SELECT_BY_ID = _SELECT.where(_MESSAGES.c.id.in_(bindparam("ids", expanding=True)))

_SELECT_REACTIONS = (
    select(_REACTIONS.c.message_id, _REACTIONS.c.reaction, *PERSON_COLUMNS)
    .join(_USERS, _USERS.c.id == _REACTIONS.c.user_id)
    .where(_REACTIONS.c.message_id.in_(bindparam("ids", expanding=True)))
    .order_by(_REACTIONS.c.created_at, _REACTIONS.c.user_id)
)


@dataclass(frozen=True, slots=True)
class ReactionGroup:
    """One emoji under a message, and the people who reacted with it."""

    reaction: str
    users: tuple[Person, ...]


@dataclass(slots=True, kw_only=True)
class TimelineMessage:
    """A message with its sender and the ref of its conversation. Nothing changes it: it is a key of caches.

    It is not frozen, as it would take four times as long to create.
    """

    conversation: ConversationRef
    id: int | None = None
    seq: int | None = None
    version: int | None = None
    sender: Person | None = None
    sender_type: str = "user"
    message_type: str = TEXT
    content: str
    client_id: str | None = None
    created_at: datetime
    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    is_pending: bool = False
    """Whether it waits in the spool. It has no event number then."""
    reactions: tuple[ReactionGroup, ...] = ()
    mentions: tuple[Person, ...] = ()
    """The people it mentions, ordered by username."""
    sender_name: str | None = None
    """The name of the bot or the assistant that sent it."""
    reply_to: int | None = None
    thread_root: int | None = None
    """The `seq` of the first message of the thread that it is a reply in."""
    is_in_room: bool = True
    """False for a reply in a thread that was not also sent to the room: pages of the conversation do not show it."""
    thread: ThreadSummary | None = None
    """The replies in the thread that begins with it, if there are any."""
    asker_id: int | None = None
    answer_state: str | None = None
    """State of an assistant's answer: see `Message.state`."""
    answer_problem: str | None = None
    """Why an assistant's answer is not complete."""
    metadata: Metadata | None = None
    is_pinned: bool = False
    files: tuple[AttachedFile, ...] = ()
    previews: tuple[PagePreview, ...] = ()
    """What it shows of the pages that it links to."""
    request_id: str = field(default="", compare=False)
    """The id of the request that has posted it, for logs; empty if it was read from the database."""

    def __hash__(self) -> int:
        # Messages are keys of a cache: fewer fields are hashed than compared.
        return hash((self.conversation.id, self.version, self.client_id))

    @property
    def chars(self) -> int:
        """Return its size in characters, approximately."""
        metadata_chars = len(json.dumps(self.metadata)) if self.metadata else 0
        reactions = sum(len(group.users) for group in self.reactions)
        file_chars = sum(file.chars for file in self.files)
        preview_chars = sum(preview.chars for preview in self.previews)
        return len(self.content) + metadata_chars + REACTION_CHARS * reactions + file_chars + preview_chars

    @property
    def shown_name(self) -> str:
        """The sender's name as users see it."""
        return self.sender.name if self.sender else (self.sender_name or "Former member")

    @property
    def quoted_seq(self) -> int | None:
        """The `seq` of the message that it quotes, because it replies to it. An assistant's answer quotes none."""
        return self.reply_to if self.answer_state is None and self.deleted_at is None else None

    @property
    def is_from_template(self) -> bool:
        """Whether it is shown as an assistant's, but was written by the author of the session's template."""
        return self.sender_type == "assistant" and (self.metadata or {}).get("template") is True

    @property
    def is_notice(self) -> bool:
        """Whether a user posted it as a notice."""
        return self.message_type == NOTICE and self.sender_type == "user"

    @classmethod
    def of(
        cls,
        message: Message | Row[Any],
        sender: Person | None,
        conversation: ConversationRef,
        reactions: tuple[ReactionGroup, ...] = (),
        mentions: tuple[Person, ...] = (),
        thread: ThreadSummary | None = None,
        *,
        is_pinned: bool = False,
        files: tuple[AttachedFile, ...] = (),
        previews: tuple[PagePreview, ...] = (),
    ) -> Self:
        """Create the value from a row with the columns of a message."""
        return cls(
            conversation=conversation,
            id=message.id,
            seq=message.seq,
            version=message.version,
            sender=sender,
            sender_type=message.sender_type,
            message_type=message.message_type,
            content=message.content,
            client_id=message.client_id,
            created_at=message.created_at,
            edited_at=message.edited_at,
            deleted_at=message.deleted_at,
            reactions=reactions,
            mentions=mentions,
            sender_name=message.sender_name,
            reply_to=message.reply_to,
            thread_root=message.thread_root,
            is_in_room=message.is_in_room,
            thread=thread,
            asker_id=message.asker_id,
            answer_state=message.state,
            answer_problem=message.problem,
            metadata=message.extra,
            is_pinned=is_pinned,
            files=files,
            previews=previews,
        )

    @classmethod
    def of_retired_key(cls, key: RetiredKey, sender: Person | None, conversation: ConversationRef) -> Self:
        """Create the value of a message that a cleanup has removed."""
        return cls(
            conversation=conversation,
            seq=key.seq,
            version=key.seq,
            sender=sender,
            content="",
            client_id=key.client_id,
            created_at=key.retired_at,
            deleted_at=key.retired_at,
        )


@dataclass(frozen=True, slots=True)
class Head:
    """The last event number of a conversation, and its floor."""

    conversation: ConversationRef
    last_event: int
    floor: int

    @classmethod
    def of(cls, conversation: Conversation) -> Self:
        """Create the value from a row."""
        return cls(ConversationRef.of(conversation), conversation.last_event, conversation.floor)


def insert_message(
    transaction: Transaction,
    conversation: Conversation,
    *,
    files: Sequence[AttachedFile] = (),
    uploader_id: int | None = None,
    **columns: Any,
) -> Message:
    """Insert a message, with files of a user, at the end of a locked conversation and return its row."""
    message = Message(**new_message_columns(transaction, conversation, **columns))
    transaction.session.add(message)
    transaction.session.flush()
    store_files(transaction.session, [(conversation.id, message.id, uploader_id, files)])
    index_rows(transaction.session, [message])
    return message


def select_messages(conversation: Conversation) -> Select[Any]:
    """Select the conversation's messages with their senders."""
    return _SELECT.where(_MESSAGES.c.conversation_id == conversation.id)


def fetch_messages(session: Session, query: Select[Any], conversation: Conversation) -> Sequence[TimelineMessage]:
    """Run a query made with `select_messages` and return its messages."""
    return _build(session, session.execute(query).all(), ConversationRef.of(conversation))


def fetch_messages_by_id(session: Session, ids: Sequence[int], ref: ConversationRef) -> Sequence[TimelineMessage]:
    """Return those of a conversation's messages that have these ids, in any order."""
    return _build(session, session.execute(_SELECT_BY_ID, {"ids": ids}).all(), ref)


def fetch_messages_by_seq(session: Session, ref: ConversationRef, seqs: Sequence[int]) -> Sequence[TimelineMessage]:
    """Return those of a conversation's messages that have these numbers, in any order."""
    return _build(session, session.execute(_SELECT_BY_SEQ, {"conversation_id": ref.id, "seqs": seqs}).all(), ref)


def fetch_roots(
    session: Session, threads: Collection[tuple[ConversationRef, int]]
) -> dict[tuple[ConversationRef, int], TimelineMessage]:
    """Return the first messages of threads, by conversation and number. Those that were removed are left out."""
    refs = {ref.id: ref for ref, _ in threads}
    keys = encode_rows((ref.id, root) for ref, root in threads)
    rows = session.execute(_SELECT_ROOTS, {"keys": keys}).all()
    messages = build_messages(session, rows, [refs[row.conversation_id] for row in rows])
    return {(message.conversation, message.seq or 0): message for message in messages}


def fetch_messages_of(session: Session, refs: Mapping[int, ConversationRef]) -> dict[int, TimelineMessage]:
    """Return messages of several conversations by their ids, given the ref of the conversation of each."""
    if not refs:
        return {}
    rows = session.execute(_SELECT_BY_ID, {"ids": list(refs)}).all()
    messages = build_messages(session, rows, [refs[row.id] for row in rows])
    return {row.id: message for row, message in zip(rows, messages, strict=True)}


def fetch_message(session: Session, ref: ConversationRef, message_id: int) -> TimelineMessage:
    """Return one message of a conversation."""
    (message,) = fetch_messages_by_id(session, [message_id], ref)
    return message


def _build(session: Session, rows: Sequence[Row[Any]], ref: ConversationRef) -> Sequence[TimelineMessage]:
    return build_messages(session, rows, [ref] * len(rows))


def build_messages(
    session: Session, rows: Sequence[Row[Any]], refs: Sequence[ConversationRef]
) -> Sequence[TimelineMessage]:
    """Return the messages of rows with `MESSAGE_COLUMNS`, each in the conversation with the ref of the same index."""
    reactions = _fetch_reactions(session, [row.id for row in rows if row.has_reactions])
    mentions = fetch_mentions(session, [row.id for row in rows if "@" in row.content])
    files = fetch_files(session, [row.id for row in rows if row.has_files])
    # Storing previews changes the version.
    previews = fetch_previews(
        session, [row.id for row in rows if row.version > row.seq and "://" in row.content and row.deleted_at is None]
    )
    # A reply changes the version of its root.
    threads = fetch_summaries(
        session, [(row.conversation_id, row.seq) for row in rows if row.version > row.seq and row.thread_root is None]
    )
    return [
        TimelineMessage.of(
            row,
            None if row.username is None else make_person(row.sender_id, row.username, row.name, row.avatar_digest),
            ref,
            reactions.get(row.id, ()),
            mentions.get(row.id, ()),
            threads.get((row.conversation_id, row.seq)),
            is_pinned=bool(row.is_pinned),
            files=files.get(row.id, ()),
            previews=previews.get(row.id, ()),
        )
        for row, ref in zip(rows, refs, strict=True)
    ]


def _fetch_reactions(session: Session, message_ids: Sequence[int]) -> dict[int, tuple[ReactionGroup, ...]]:
    """Return the reactions by message id: emoji in the order of their first use, people in the order of theirs."""
    if not message_ids:
        return {}
    groups: dict[int, dict[str, list[Person]]] = {}
    for message_id, reaction, *person in session.execute(_SELECT_REACTIONS, {"ids": message_ids}):
        groups.setdefault(message_id, {}).setdefault(reaction, []).append(make_person(*person))
    return {
        message_id: tuple(ReactionGroup(reaction, tuple(users)) for reaction, users in by_reaction.items())
        for message_id, by_reaction in groups.items()
    }
