"""Drafts: what people have begun to write, the same on all their devices.

A device names the version that its text is based on. If the draft has another one meanwhile, nothing is stored and the
device gets the current draft, so that it can merge the two.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from chatapp.actors import Actor, require_active_login
from chatapp.config import current_settings
from chatapp.conversations.policy import authorize_posting
from chatapp.conversations.queries import find_access
from chatapp.conversations.refs import ConversationRef
from chatapp.conversations.service import lock_people
from chatapp.errors import Conflict
from chatapp.limits.rates import DRAFT_SAVES, count_use
from chatapp.models import Conversation, Draft, Message, now
from chatapp.models.base import LAST_ID
from chatapp.storage import Key, Keyset, ListPage, ReadStatement, Transaction, write
from chatapp.timeline.client_ids import check_client_id
from chatapp.timeline.content import check_text, is_blank
from chatapp.timeline.signals import DraftChanged, draft_changed
from chatapp.timeline.thread_members import check_thread

IN_ROOM = 0
"""The `Draft.thread_root` of the draft of a conversation itself."""

_MAX_VERSION = 2**62
"""No draft has a higher one for a long time: it is a time in microseconds."""

_HAS_KEY = and_(
    Draft.user_id == bindparam("of_user"),
    Draft.conversation_id == bindparam("of_conversation"),
    Draft.thread_root == bindparam("of_thread"),
)

_SELECT = ReadStatement(select(Draft.content, Draft.version, Draft.client_id).where(_HAS_KEY))
_COUNT = ReadStatement(select(func.count()).where(Draft.user_id == bindparam("user_id")))
_IS_SENT = ReadStatement(
    select(Message.id).where(Message.client_id == bindparam("client_id"), Message.sender_id == bindparam("user_id"))
)
_INSERT = insert(Draft)
_HAS_VERSION = Draft.version == bindparam("of_version", type_=BigInteger)
_UPDATE = (
    update(Draft)
    .where(_HAS_KEY, _HAS_VERSION)
    .values({name: bindparam(f"new_{name}") for name in ("content", "version", "client_id", "updated_at")})
)
_DELETE = delete(Draft).where(_HAS_KEY, _HAS_VERSION)
_DELETE_SENT = delete(Draft).where(_HAS_KEY, or_(_HAS_VERSION, Draft.client_id == bindparam("of_client_id")))


_SAVED_LAST_FIRST = Keyset(
    Key(Draft.version, is_descending=True), Key(Draft.conversation_id, maximum=LAST_ID), Key(Draft.thread_root)
)


@dataclass(frozen=True, slots=True)
class DraftState:
    """The text and the version of a draft on the server. Version 0 and no text: there is none."""

    content: str = ""
    version: int = 0
    client_id: str | None = None
    """That of the device which has saved it: it recognizes its own text if an acknowledgement was lost."""


NO_DRAFT = DraftState()


@dataclass(frozen=True, slots=True)
class DraftSaveResult:
    """The outcome of saving a draft."""

    draft: DraftState
    """The current draft."""
    is_saved: bool
    """False if that is not the text that was to be saved: it is based on another version, or was sent already."""


@dataclass(frozen=True, slots=True)
class DraftOfPlace:
    """A draft with the conversation or thread that it is for, as a list has it."""

    conversation: ConversationRef
    thread_root: int | None
    draft: DraftState
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SentDraft:
    """A message whose sender had perhaps saved it as a draft before, and the version of that draft."""

    user_id: int
    conversation: ConversationRef
    thread_root: int | None
    client_id: str
    version: int


def save_draft(
    ref: ConversationRef,
    actor: Actor,
    *,
    content: object,
    version: int,
    thread_root: int | None = None,
    client_id: object = None,
) -> DraftSaveResult:
    """Save the actor's draft for a conversation, or for a thread in it. An empty one is removed.

    `version` is that of the draft which the text is based on, 0 if there was none. `client_id` is the one that the
    message will have: once that is stored, a late save changes nothing. Removing a draft needs no permission.

    Raises what `check_text`, `check_client_id`, `authorize_posting` and `check_thread` raise, `SignedOut`,
    `RateLimited`, and `Conflict` if the actor has too many drafts.
    """
    text = check_text(content, what="A draft")
    is_empty = is_blank(text)
    checked_id = None if client_id is None else check_client_id(client_id)
    count_use(DRAFT_SAVES, actor.user_id)
    limit = current_settings().max_drafts

    def change(transaction: Transaction) -> DraftSaveResult:
        session = transaction.session
        require_active_login(session, actor)
        key = _key(actor.user_id, ref.id, thread_root)
        if is_empty:  # The same response whether the conversation exists or not.
            return _remove(transaction, ref, key, version)
        conversation, membership = find_access(session, ref, actor.user_id)
        postable = authorize_posting(conversation, membership)
        if thread_root is not None:
            check_thread(session, postable, thread_root)
        if checked_id and _IS_SENT.fetch(session, client_id=checked_id, user_id=actor.user_id):
            return DraftSaveResult(_find(session, key), is_saved=False)
        return _store(transaction, ref, key, text, version, checked_id, limit)

    return write(change)


def find_draft(session: Session, user_id: int, conversation_id: int, thread_root: int | None) -> DraftState:
    """Return the draft of a person for a conversation, or for a thread in it."""
    return _find(session, _key(user_id, conversation_id, thread_root))


def read_drafts(
    session: Session, user_id: int, *, before: str | None = None, after: str | None = None, limit: int
) -> ListPage[DraftOfPlace]:
    """Return a page of the drafts of a person, saved last first."""
    query = (
        select(Draft, Conversation.kind)
        .join(Conversation, Conversation.id == Draft.conversation_id)
        .where(Draft.user_id == user_id)
    )
    page = _SAVED_LAST_FIRST.read(session, query, before=before, after=after, limit=limit)
    return page.map(
        lambda rows: [
            DraftOfPlace(
                ConversationRef(row.kind, row.Draft.conversation_id),
                row.Draft.thread_root or None,
                DraftState(row.Draft.content, row.Draft.version),
                row.Draft.updated_at,
            )
            for row in rows
        ]
    )


def count_drafts(session: Session, user_id: int) -> int:
    """Count the drafts of a person."""
    ((count,),) = _COUNT.fetch(session, user_id=user_id)
    return int(count)


def remove_sent(transaction: Transaction, sent: Iterable[SentDraft]) -> None:
    """Remove the drafts of messages that are stored, unless another device has written on meanwhile."""
    for each in sent:
        key = _key(each.user_id, each.conversation.id, each.thread_root)
        parameters = key | {"of_version": each.version, "of_client_id": each.client_id}
        if transaction.session.connection().execute(_DELETE_SENT, parameters).rowcount:
            _announce(transaction, each.conversation, key, DraftState("", _next_version(each.version)))


def _find(session: Session, key: dict[str, int]) -> DraftState:
    rows = _SELECT.fetch(session, **key)
    return DraftState(*rows[0]) if rows else NO_DRAFT


def _store(
    transaction: Transaction,
    ref: ConversationRef,
    key: dict[str, int],
    text: str,
    version: int,
    client_id: str | None,
    limit: int,
) -> DraftSaveResult:
    """Store a text that is based on a version."""
    session = transaction.session
    new = DraftState(text, _next_version(version), client_id)
    values = {"content": text, "version": new.version, "client_id": client_id, "updated_at": now()}
    if version:
        parameters = key | {"of_version": version} | {f"new_{name}": value for name, value in values.items()}
        is_stored = session.connection().execute(_UPDATE, parameters).rowcount
    else:
        # Two processes cannot insert the row at the same time.
        session.execute(lock_people([key["of_user"]]))
        is_stored = _find(session, key) is NO_DRAFT
        if is_stored:
            _check_count(session, key["of_user"], limit)
            row = {"user_id": key["of_user"], "conversation_id": ref.id, "thread_root": key["of_thread"]}
            session.connection().execute(_INSERT, row | values)
    if not is_stored:
        return DraftSaveResult(_find(session, key), is_saved=False)
    _announce(transaction, ref, key, new)
    return DraftSaveResult(new, is_saved=True)


def _remove(transaction: Transaction, ref: ConversationRef, key: dict[str, int], version: int) -> DraftSaveResult:
    """Remove the draft with a version."""
    if transaction.session.connection().execute(_DELETE, key | {"of_version": version}).rowcount:
        _announce(transaction, ref, key, DraftState("", _next_version(version)))
        return DraftSaveResult(NO_DRAFT, is_saved=True)
    current = _find(transaction.session, key)
    return DraftSaveResult(current, is_saved=current is NO_DRAFT)


def _announce(transaction: Transaction, ref: ConversationRef, key: dict[str, int], draft: DraftState) -> None:
    changed = DraftChanged(key["of_user"], ref, key["of_thread"] or None, draft.content, draft.version)
    transaction.send_on_commit(draft_changed, changed)


def _check_count(session: Session, user_id: int, limit: int) -> None:
    if count_drafts(session, user_id) >= limit:
        raise Conflict(f"You have {limit:,} drafts, which is the limit. Send or delete some of them first.")


def _key(user_id: int, conversation_id: int, thread_root: int | None) -> dict[str, int]:
    return {"of_user": user_id, "of_conversation": conversation_id, "of_thread": thread_root or IN_ROOM}


def _next_version(version: int) -> int:
    """Return a version after another one. A client may name any number, which then is that of no draft."""
    return max(time.time_ns() // 1_000, min(version, _MAX_VERSION) + 1)
