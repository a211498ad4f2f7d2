"""Cleanup: moves all but the last messages of a conversation to the message archive, or deletes the conversation."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog
from sqlalchemy import delete, func, insert, literal, select
from sqlalchemy.orm import Session

from chatapp.actors import Actor, is_admin
from chatapp.audit_log import AuditKind, record
from chatapp.concurrency.native import current_pools
from chatapp.config import current_settings
from chatapp.conversations.policy import authorize_clearing
from chatapp.conversations.queries import find_access_of
from chatapp.conversations.refs import ConversationRef
from chatapp.errors import Unavailable
from chatapp.extensions import db
from chatapp.failpoints import failpoint
from chatapp.models import Conversation, Message, RetiredKey, now
from chatapp.search.index import remove_range
from chatapp.storage import DELETED, Transaction, read_natively, write
from chatapp.timeline.archive.files import ArchiveFile, MessageArchive, Run, count_stored, current_archive
from chatapp.timeline.archive.rows import read_messages
from chatapp.timeline.event_numbers import lock_conversation
from chatapp.timeline.messages import Head
from chatapp.timeline.signals import timeline_trimmed
from chatapp.timeline.thread_replies import forget_removed

BATCH_MESSAGES = 1_000
"""Maximum number of messages that one transaction removes. Other changes wait meanwhile, for some milliseconds."""

BATCH_BYTES = 8_000_000
"""Size of the messages, as JSON, with which a transaction is full too."""

CHUNK_MESSAGES = 100
"""Number of messages that are in memory at the same time."""

PAUSE_SECONDS = 0.01
"""Pause between two transactions, in which another process can write."""

log = structlog.get_logger(__name__)

RETIRED_KEY_LIFETIME = timedelta(days=30)
"""How long the key of a removed message is kept: longer than a message waits in an outbox."""


@dataclass(frozen=True, slots=True)
class Trim:
    """The removal of `count` messages of a conversation: those with a `seq` below `cut`."""

    conversation: ConversationRef
    cut: int
    count: int


def plan_trim(session: Session, conversation: Conversation, keep_last: int) -> Trim:
    """Plan the removal of all but the last `keep_last` messages of the room; of none if that is 0.

    Replies that only threads show are not counted. Those below the oldest message that is kept are removed too.
    """
    is_in_conversation = Message.conversation_id == conversation.id
    oldest_kept = session.scalar(
        select(Message.seq)
        .where(is_in_conversation, Message.is_in_room)
        .order_by(Message.seq.desc())
        .offset(keep_last - 1)
        .limit(1)
        if keep_last
        else select(func.min(Message.seq)).where(is_in_conversation)
    )
    cut = oldest_kept or 0
    count = session.scalars(select(func.count()).where(is_in_conversation, Message.seq < cut)).one()
    return Trim(ConversationRef.of(conversation), cut, count)


def plan_clearing(conversation: Conversation) -> Trim:
    """Plan the removal of all messages that exist now."""
    return Trim(ConversationRef.of(conversation), conversation.last_event + 1, conversation.message_count)


def clear(actor: Actor, ref: ConversationRef) -> int:
    """Remove all messages of a conversation that exist now, and return their number.

    Raises what `authorize_clearing` and `trim` raise, and `SignedOut`.
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
    retired, so that a message sent again is not stored again. Each batch is in the message archive before it is
    removed, unless that is switched off. Raises `Unavailable` if the archive cannot be written.
    """
    if plan.count:
        try:
            yield from _remove_batches(plan)
        except OSError as error:
            log.exception("message archive cannot be written", conversation=plan.conversation.wire_name)
            raise Unavailable("The archive of removed messages cannot be written, so the rest is kept.") from error
    write(_delete_expired_keys)


def delete_conversation(transaction: Transaction, conversation_id: int) -> None:
    """Delete a conversation with its messages, within the caller's transaction.

    The caller then deletes what is archived of it with `delete_archive`.
    """
    remove_range(transaction.session.connection(), conversation_id)
    transaction.session.execute(delete(Conversation).where(Conversation.id == conversation_id))
    transaction.watermarks[conversation_id] = DELETED


def delete_archive(ref: ConversationRef) -> None:
    """Delete the archived messages of a conversation that was deleted."""
    current_pools().archive.run(current_archive().delete, ref)


def _remove_batches(plan: Trim) -> Iterator[int]:
    archive, pool = current_archive(), current_pools().archive
    with archive.lock(plan.conversation):
        _discard_stored_files(archive, plan.conversation)
        is_archived = current_settings().archive_removed_messages
        run = pool.run(archive.new_run, plan.conversation) if is_archived else None
        while removed := _remove_batch(plan, run):
            yield removed
            time.sleep(PAUSE_SECONDS)


def _discard_stored_files(archive: MessageArchive, ref: ConversationRef) -> None:
    """Delete files whose messages the database has: those that a crash has left before the commit, or after a restore.

    Otherwise they would keep the text of messages that are deleted later.
    """
    pool = current_pools().archive
    pool.run(archive.remove_partial_files, ref)
    oldest = db.session.scalar(select(func.min(Message.seq)).where(Message.conversation_id == ref.id))
    if oldest is None:
        return
    for file in pool.run(archive.list_files, ref):
        if file.last >= oldest and count_stored(db.session(), ref, file) == file.count:
            pool.run(file.delete)


def _remove_batch(plan: Trim, run: Run | None) -> int:
    """Archive and remove the oldest messages that are to be removed, and return their number."""
    if run is None:
        return write(_remove(plan, None)) or 0
    while True:
        file, versions = _archive_batch(plan, run)
        if file is None:
            return 0
        failpoint("archived")
        removed = write(_remove(plan, versions))
        if removed is not None:
            return removed
        # A message was edited or deleted meanwhile: archive the batch again.
        current_pools().archive.run(file.delete)


def _archive_batch(plan: Trim, run: Run) -> tuple[ArchiveFile | None, dict[int, int]]:
    """Write a file with the oldest messages. Return it, and the versions of the messages by `seq`."""
    pool, versions = current_pools().archive, dict[int, int]()
    db.session.rollback()  # A snapshot from before the previous batch has messages that were removed.
    writer = None
    try:
        while len(versions) < BATCH_MESSAGES and (writer is None or writer.size < BATCH_BYTES):
            read = partial(
                read_messages,
                conversation_id=plan.conversation.id,
                after=max(versions, default=0),
                before=plan.cut,
                limit=min(CHUNK_MESSAGES, BATCH_MESSAGES - len(versions)),
            )
            messages = read_natively(db.session(), read, pool=pool, is_limited=False)
            if not messages:
                break
            writer = writer or pool.run(run.create_file)
            pool.run(writer.write, messages)
            versions |= {message.seq: message.version for message in messages}
        file = pool.run(writer.finish) if writer else None
    except BaseException:
        if writer is not None:
            writer.abort()
        raise
    return file, versions


def _remove(plan: Trim, archived: Mapping[int, int] | None) -> Callable[[Transaction], int | None]:
    """Return the change that removes the oldest messages, and returns their number.

    With `archived`, versions by `seq`, it removes these messages. If they have changed, it returns None instead.
    """

    def change(transaction: Transaction) -> int | None:
        session = transaction.session
        conversation = lock_conversation(session, plan.conversation.id)
        oldest = session.execute(
            select(Message.seq, Message.version)
            .where(Message.conversation_id == plan.conversation.id, Message.seq < plan.cut)
            .order_by(Message.seq)
            .limit(BATCH_MESSAGES if archived is None else len(archived))
        ).all()
        versions = {row.seq: row.version for row in oldest}
        if archived is not None and versions != archived:
            return None
        if conversation is None or not versions:
            return 0
        last = oldest[-1].seq
        is_removed = (Message.conversation_id == plan.conversation.id, Message.seq <= last)
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
        replies = session.execute(
            select(Message.thread_root, func.count())
            .where(*is_removed, Message.thread_root.is_not(None), Message.deleted_at.is_(None))
            .group_by(Message.thread_root)
        )
        removed_replies = {root: count for root, count in replies if root is not None}
        remove_range(session.connection(), plan.conversation.id, last)
        session.execute(delete(Message).where(*is_removed))
        forget_removed(session, plan.conversation.id, removed_replies, last)
        conversation.floor = last
        conversation.message_count -= len(versions)
        session.flush()
        transaction.send_on_commit(timeline_trimmed, Head.of(conversation))
        return len(versions)

    return change


def _delete_expired_keys(transaction: Transaction) -> None:
    transaction.session.execute(delete(RetiredKey).where(RetiredKey.retired_at < now() - RETIRED_KEY_LIFETIME))
