"""Restoring archived messages to their conversation."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from chatapp.concurrency.native import current_pools
from chatapp.errors import Invalid, NotFound
from chatapp.models import Attachment
from chatapp.storage import Transaction, write
from chatapp.timeline.archive.files import ArchiveFile, Run, current_archive
from chatapp.timeline.archive.rows import ArchivedMessage, find_stored, insert_messages
from chatapp.timeline.event_numbers import increment_last_event, lock_conversation
from chatapp.timeline.thread_replies import recount_threads

_ATTACHMENTS = Attachment.__tablename__


@dataclass(frozen=True, slots=True)
class Restored:
    """The result of restoring one file."""

    restored: int
    skipped: int
    """Messages that exist, or of which another file has a newer copy."""
    attachments: int
    """Files of messages that were archived: the archive has only what is known of them, and not their contents."""


def restore(run: Run) -> Iterator[Restored]:
    """Restore the messages of a run, and yield the result of each file, which is deleted then.

    Messages keep their `seq` and get a new version. Those that exist are skipped, so that a restore can be repeated.
    Open pages of the conversation load its last page. Raises `NotFound` if the conversation was deleted, and `Invalid`
    for a damaged file, of which nothing is restored then.
    """
    archive, pool = current_archive(), current_pools().archive
    with archive.lock(run.conversation):
        for file in run.list_files():
            messages = pool.run(_read, file)
            others = [each for each in archive.list_files(run.conversation) if each.overlaps(file)]
            newest = pool.run(_without_superseded, messages, others)
            restored = write(_insert(run, newest))
            pool.run(file.delete)
            attachments = sum(len(message.related.get(_ATTACHMENTS, ())) for message in newest) if restored else 0
            yield Restored(restored, len(messages) - restored, attachments)


def _read(file: ArchiveFile) -> list[ArchivedMessage]:
    return list(file.read())


def _without_superseded(messages: Sequence[ArchivedMessage], others: Sequence[ArchiveFile]) -> list[ArchivedMessage]:
    """Return the messages of which no other file has a newer copy: it may lack text that its sender has deleted."""
    versions: dict[int, int] = {}
    for other in others:
        for message in other.read():
            versions[message.seq] = max(versions.get(message.seq, 0), message.version)
    return [message for message in messages if versions.get(message.seq, 0) <= message.version]


def _insert(run: Run, messages: Sequence[ArchivedMessage]) -> Callable[[Transaction], int]:
    def change(transaction: Transaction) -> int:
        session = transaction.session
        conversation = lock_conversation(session, run.conversation.id)
        if conversation is None:
            raise NotFound(f"{run.conversation.wire_name} was deleted, so its messages cannot be restored.")
        if any(message.columns["conversation_id"] != conversation.id for message in messages):
            raise Invalid(f"{run.name} has messages of another conversation.")
        stored = find_stored(session, conversation.id, messages)
        missing = [message for message in messages if message.seq not in stored]
        if not missing:
            return 0
        # Only a database that was restored from an older backup is behind its archive.
        conversation.last_event = max(conversation.last_event, missing[-1].seq)
        versions = [(message, increment_last_event(transaction, conversation)) for message in missing]
        session.flush()
        insert_messages(session, conversation, versions)
        conversation.message_count += len(missing)
        conversation.floor = min(conversation.floor, missing[0].seq - 1)
        roots = {root for message in missing if (root := message.columns.get("thread_root")) is not None}
        recount_threads(transaction, conversation, sorted(roots))
        conversation.reset_event = conversation.last_event
        return len(missing)

    return change
