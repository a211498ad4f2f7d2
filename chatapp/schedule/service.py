"""Scheduling messages, and changing what is scheduled."""

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from chatapp.actors import Actor
from chatapp.config import current_settings
from chatapp.conversations.commands import find_command
from chatapp.conversations.policy import authorize_posting
from chatapp.conversations.queries import find_access_of
from chatapp.conversations.refs import ConversationRef
from chatapp.conversations.service import lock_people
from chatapp.errors import Conflict, Empty, Invalid
from chatapp.extensions import db
from chatapp.files.attached import AttachedFile
from chatapp.files.uploads import check_file_count
from chatapp.models import Message, RetiredKey, now
from chatapp.schedule.delivery import Delivery
from chatapp.schedule.files import replace_scheduled_files
from chatapp.schedule.scheduled import SCHEDULED, Scheduled
from chatapp.schedule.signals import ScheduledChanged, State, scheduled_changed
from chatapp.schedule.times import check_due_at
from chatapp.storage import Transaction, write
from chatapp.timeline import TimelineMessage
from chatapp.timeline.client_ids import check_client_id
from chatapp.timeline.content import check_caption, check_content
from chatapp.timeline.metadata import UNCHANGED
from chatapp.timeline.post_batch import check_place
from chatapp.timeline.posted_files import NO_FILES, PostedFiles
from chatapp.timeline.posting import check_has_threads

_TABLE = SCHEDULED.table


def schedule(
    ref: ConversationRef,
    actor: Actor,
    *,
    content: object,
    client_id: object,
    due_at: object,
    reply_to: int | None = None,
    thread_root: int | None = None,
    is_in_room: bool = True,
    posted: PostedFiles = NO_FILES,
) -> Scheduled:
    """Store a message that is sent at the time `due_at`, and return it. The others are the parameters of `post`.

    A repeated `client_id` replaces what is stored under it in this conversation while it is not due: its sender may not
    have received an acknowledgement, and have changed the text or the time. The same message returns what is stored.
    The client id is also that of the message when it is sent.

    `posted` are its files: with any it needs no text. If they are not available, the error is raised, unless the same
    message is stored already, as far as they are known.

    Raises what `check_content`, `check_client_id`, `check_due_at` and `authorize_posting` raise, `Invalid` for a
    command, `InvalidReply`, `ThreadRemoved` and `SignedOut`, and `Conflict` if the message was sent already, if the
    stored one can no longer be replaced, or if the person has scheduled as many as the setting allows.
    """
    settings = current_settings()
    text = check_content(content) if posted == NO_FILES else check_caption(content)
    key = check_client_id(client_id)
    moment = check_due_at(due_at, max_days=settings.max_schedule_days)
    if find_command(ref, text):
        raise Invalid("A command cannot be scheduled.")
    check_has_threads(ref, thread_root)
    values: dict[str, object] = {
        "content": text,
        "reply_to": reply_to,
        "thread_root": thread_root,
        "is_in_room": thread_root is None or is_in_room,
        "due_at": moment,
    }

    def change(transaction: Transaction) -> Scheduled:
        session = transaction.session
        # The number of their messages is limited, and two processes cannot insert the same one.
        session.execute(lock_people([actor.user_id]))
        access = find_access_of(session, ref, actor)
        known = SCHEDULED.lock_by_client_id(session, actor.user_id, key)
        if known and not _is_replaced(known, ref, values, posted):
            return known
        conversation = authorize_posting(*access)
        if known is None:
            _check_not_sent(session, key, actor.user_id)
        if posted.error is not None:
            raise posted.error
        check_place(session, conversation.id, reply_to=reply_to, thread_seq=thread_root)
        if known:
            session.execute(update(_TABLE).where(_TABLE.c.id == known.id).values(values))
            scheduled_id = known.id
        else:
            if SCHEDULED.count(session, actor.user_id) >= settings.max_scheduled:
                raise Conflict(f"You can schedule at most {settings.max_scheduled} messages. Delete one first.")
            identity = {
                "user_id": actor.user_id,
                "conversation_id": conversation.id,
                "client_id": key,
                "created_at": now(),
            }
            inserted = insert(_TABLE).values(identity | values).returning(_TABLE.c.id)
            scheduled_id = session.execute(inserted).scalar_one()
        replace_scheduled_files(session, scheduled_id, posted.files)
        scheduled = SCHEDULED.find(session, actor.user_id, scheduled_id)
        _send_changed(transaction, scheduled)
        return scheduled

    return write(change)


def _is_replaced(known: Scheduled, ref: ConversationRef, values: Mapping[str, object], posted: PostedFiles) -> bool:
    """Return whether a repetition of a stored message changes it.

    Raises `Conflict` if it should, but the message is due or could not be sent. Another time changes nothing then.
    """
    is_same_message = (
        known.conversation == ref
        # The uploads of a repetition may be gone.
        and posted.may_be(known.files)
        and all(getattr(known, name) == value for name, value in values.items() if name != "due_at")
    )
    is_waiting = known.problem is None and known.due_at > now()
    if known.conversation == ref and is_waiting:
        return not is_same_message or known.due_at != values["due_at"]
    if not is_same_message:
        raise Conflict("Another message is scheduled under this client_id. Use a new one.")
    return False


def change_scheduled(
    actor: Actor,
    scheduled_id: int,
    *,
    content: object = UNCHANGED,
    due_at: object = UNCHANGED,
    removed_files: Sequence[str] = (),
    added: PostedFiles = NO_FILES,
) -> Scheduled:
    """Change the text, the time or the files of a scheduled message. One that could not be sent waits for its new time.

    `removed_files` are digests. `added` are appended, except those that it has already: a repetition changes nothing.

    Raises what `check_content` and `check_due_at` raise, `Invalid` if nothing changes or if there are too many files,
    `SignedOut`, `NotFound`, and the error of `added`.
    """
    if added.error is not None:
        raise added.error
    settings = current_settings()
    values: dict[str, object] = {}
    if content is not UNCHANGED:
        values["content"] = check_caption(content)
    if due_at is not UNCHANGED:
        values |= {"due_at": check_due_at(due_at, max_days=settings.max_schedule_days), "problem": None}
    has_changed_files = bool(removed_files or added.files)
    if not values and not has_changed_files:
        raise Invalid("Give a new content, a new due_at, or files to add or remove.")
    max_files = settings.max_message_files

    def change(transaction: Transaction, scheduled: Scheduled) -> Scheduled:
        session, text = transaction.session, values.get("content")
        if scheduled.conversation and isinstance(text, str) and find_command(scheduled.conversation, text):
            raise Invalid("A command cannot be scheduled.")
        files = _change_files(scheduled.files, removed_files, added.files, max_files)
        if not values.get("content", scheduled.content) and not files:
            raise Empty("A message needs some text or a file.")
        if values:
            session.execute(update(_TABLE).where(_TABLE.c.id == scheduled_id).values(values))
        if has_changed_files:
            replace_scheduled_files(session, scheduled_id, files)
        changed = SCHEDULED.find(session, actor.user_id, scheduled_id)
        _send_changed(transaction, changed)
        return changed

    return SCHEDULED.change(actor, scheduled_id, change)


def _change_files(
    files: Sequence[AttachedFile], removed: Sequence[str], added: Sequence[AttachedFile], max_files: int
) -> Sequence[AttachedFile]:
    """Return the files of a message after a change. Raises `Invalid` if the added ones are too many."""
    kept = [file for file in files if file.digest not in removed]
    changed = [*kept, *(file for file in added if file not in kept)]
    if added:
        check_file_count(len(changed), max_files)
    return changed


def delete_scheduled(actor: Actor, scheduled_id: int) -> None:
    """Delete a scheduled message. Raises `SignedOut` and `NotFound`."""

    def change(transaction: Transaction, _: Scheduled) -> None:
        transaction.session.execute(delete(_TABLE).where(_TABLE.c.id == scheduled_id))
        transaction.send_on_commit(scheduled_changed, ScheduledChanged(actor.user_id, scheduled_id, "deleted"))

    SCHEDULED.change(actor, scheduled_id, change)


def send_now(actor: Actor, scheduled_id: int) -> TimelineMessage:
    """Send a scheduled message now, and return it.

    Raises what posting it raises: it stays scheduled then. Raises `NotFound`.
    """
    scheduled = SCHEDULED.find(db.session(), actor.user_id, scheduled_id)
    conversation_id = scheduled.conversation.id if scheduled.conversation else None
    message = write(Delivery(scheduled_id, conversation_id, actor))
    if message is None:
        raise SCHEDULED.not_found()
    return message


def record_problem(scheduled_id: int, problem: str) -> None:
    """Record why a message that is due was not sent, unless it was changed, sent or deleted meanwhile."""

    def change(transaction: Transaction) -> None:
        is_due = (_TABLE.c.id == scheduled_id) & SCHEDULED.is_due(now())
        user_id = transaction.session.execute(
            update(_TABLE).where(is_due).values(problem=problem).returning(_TABLE.c.user_id)
        ).scalar_one_or_none()
        if user_id is not None:
            transaction.send_on_commit(scheduled_changed, ScheduledChanged(user_id, scheduled_id, "failed", problem))

    write(change)


def _send_changed(transaction: Transaction, scheduled: Scheduled) -> None:
    state: State = "failed" if scheduled.problem else "scheduled"
    transaction.send_on_commit(
        scheduled_changed, ScheduledChanged(scheduled.user_id, scheduled.id, state, scheduled.problem)
    )


def _check_not_sent(session: Session, client_id: str, user_id: int) -> None:
    for model in (Message, RetiredKey):
        sent = select(model.client_id).where(model.client_id == client_id, model.sender_id == user_id)
        if session.execute(sent).one_or_none() is not None:
            raise Conflict("This message was sent already.")
