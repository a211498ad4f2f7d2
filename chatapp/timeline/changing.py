"""Editing, deleting, undoing that, reacting and pinning. Each change takes the conversation's next event number."""

import re
import unicodedata
from collections.abc import Callable, Sequence

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from chatapp.actors import Actor, is_admin, require_active_login
from chatapp.config import current_settings
from chatapp.conversations.policy import (
    authorize_deletion,
    authorize_editing,
    authorize_pinning,
    authorize_posting,
    authorize_preview_removal,
)
from chatapp.conversations.queries import find_access
from chatapp.conversations.refs import ConversationRef
from chatapp.errors import Conflict, Empty, Invalid, NotFound
from chatapp.files.rows import delete_some_files, has_files
from chatapp.limits.rates import PINS, REACTIONS, UNDELETIONS, count_use
from chatapp.models import CustomEmoji, Membership, Message, Reaction, now
from chatapp.models.emoji import MAX_NAME_CHARS
from chatapp.search.index import index_rows
from chatapp.storage import ReadStatement, Transaction, write
from chatapp.timeline.content import check_caption
from chatapp.timeline.deletions import end_undo_of_others, remove_content, restore_content
from chatapp.timeline.event_numbers import LockedConversation, increment_last_event, lock_columns, store_event_numbers
from chatapp.timeline.link_previews import PagePreview, delete_previews, fetch_previews, replace_previews
from chatapp.timeline.mentions import MentionSource, delete_mentions, resolve_mentions, store_mentions
from chatapp.timeline.messages import TimelineMessage, fetch_message
from chatapp.timeline.metadata import UNCHANGED, check_metadata
from chatapp.timeline.pins import delete_pin, store_pin
from chatapp.timeline.signals import ContentEdited, content_edited, message_changed, send_changed
from chatapp.timeline.thread_replies import Reply, add_named_followers, recount_reply
from chatapp.timeline.versions import keep_version

MAX_DIFFERENT_REACTIONS = 20
"""Maximum number of different emoji under one message."""

_KEYCAP = re.compile("[0-9#*]\ufe0f\u20e3")

MAX_EMOJI_CHARS = 16
"""Maximum length of an emoji: some consist of a dozen characters."""

_CUSTOM_EMOJI = re.compile(rf":([a-z0-9_+-]{{1,{MAX_NAME_CHARS}}}):", re.ASCII)

_SELECT_MESSAGE = select(Message).where(
    Message.conversation_id == bindparam("conversation_id"), Message.seq == bindparam("seq")
)

_COUNT_OTHERS = ReadStatement(
    select(func.count(Reaction.reaction.distinct())).where(
        Reaction.message_id == bindparam("message_id"), Reaction.reaction != bindparam("reaction")
    )
)

Alter = Callable[[Session, LockedConversation, Message, Membership | None], bool]
"""Changes a message and returns whether anything changed: if not, no event number is taken."""


def edit(
    ref: ConversationRef,
    actor: Actor,
    seq: int,
    *,
    content: object = UNCHANGED,
    metadata: object = UNCHANGED,
    removed_files: Sequence[str] = (),
) -> TimelineMessage:
    """Replace the content or the metadata of the actor's own message, remove files from it, and return the message.

    `removed_files` are digests. A message that keeps a file needs no text; earlier versions keep no files.

    Raises what `check_content`, `check_metadata` and `authorize_posting` raise, `NotFound`, `Forbidden`, and `Conflict`
    for a deleted message.
    """
    if content is UNCHANGED and metadata is UNCHANGED and not removed_files:
        raise Invalid("An edit needs content or metadata.")
    new_content = None if content is UNCHANGED else check_caption(content)
    new_metadata = None if metadata is UNCHANGED else check_metadata(metadata)
    limit_seconds = current_settings().edit_seconds

    def alter(
        session: Session, conversation: LockedConversation, message: Message, membership: Membership | None
    ) -> bool:
        authorize_editing(message, actor, limit_seconds=limit_seconds)
        if message.deleted_at is not None:
            raise Conflict("This message was deleted.")
        if metadata is not UNCHANGED:
            message.extra = new_metadata
        has_fewer_files = delete_some_files(session, message.id, removed_files)
        if not (message.content if new_content is None else new_content) and not has_files(session, message.id):
            raise Empty("A message needs some text or a file.")
        if new_content is None or message.content == new_content:
            if has_fewer_files:
                index_rows(session, [message])
            return has_fewer_files or session.is_modified(message)
        keep_version(session, message)
        text = new_content
        delete_previews(session, message, lambda preview: preview.url not in text)
        message.content, message.edited_at = new_content, now()
        delete_mentions(session, message.id)
        (mentioned,) = resolve_mentions(session, [MentionSource(conversation, membership, actor.user_id, new_content)])
        store_mentions(
            session, [(conversation.id, message.id, message.seq, message.is_in_room, person) for person in mentioned]
        )
        if message.thread_root is not None and mentioned:
            root = (conversation.id, message.thread_root)
            add_named_followers(
                session, Reply(root, message.seq, message.sender_id, message.created_at, new_content, mentioned)
            )
        return True

    return write(_change_message(ref, actor, seq, alter), locks=[ref.id])


def delete(ref: ConversationRef, actor: Actor, seq: int) -> TimelineMessage:
    """Delete the content of a message, with earlier versions, metadata, reactions and pin, and return it.

    Its place in the timeline stays. For a short time `undelete` restores it.

    Raises what `authorize_posting` raises, `NotFound` and `Forbidden`.
    """
    limit_seconds = current_settings().delete_seconds

    def alter(
        session: Session, conversation: LockedConversation, message: Message, membership: Membership | None
    ) -> bool:
        authorize_deletion(
            conversation,
            message,
            actor,
            membership,
            is_admin=is_admin(session, actor),
            limit_seconds=limit_seconds,
        )
        if message.deleted_at is not None:
            end_undo_of_others(session, message, actor.user_id)
            return False
        remove_content(session, message, actor.user_id)
        return True

    return write(_change_message(ref, actor, seq, alter), locks=[ref.id])


def undelete(ref: ConversationRef, actor: Actor, seq: int) -> TimelineMessage:
    """Undo the deletion of a message for the person who deleted it, and return the message.

    Raises `RateLimited`, what `authorize_posting` and `restore_content` raise, and `NotFound`.
    """
    requested_at, max_pins = now(), current_settings().max_pins
    count_use(UNDELETIONS, actor.user_id)

    def alter(
        session: Session, _conversation: LockedConversation, message: Message, _membership: Membership | None
    ) -> bool:
        if message.deleted_at is None:
            return False
        restore_content(session, message, actor.user_id, requested_at=requested_at, max_pins=max_pins)
        return True

    return write(_change_message(ref, actor, seq, alter), locks=[ref.id])


def react(ref: ConversationRef, actor: Actor, seq: int, reaction: object, *, on: bool) -> TimelineMessage:
    """Add the actor's reaction to a message, or remove it (`on` false), and return the message.

    A custom emoji is its name between colons. Once it is deleted, the reaction can only be removed.

    Raises `Invalid` if the reaction is not an emoji, `RateLimited`, what `authorize_posting` raises, `NotFound`, and
    `Conflict` if the message was deleted or has too many different reactions.
    """
    emoji = check_reaction(reaction)
    # A small request that sends the whole message to everybody.
    count_use(REACTIONS, actor.user_id)

    def alter(
        session: Session, _conversation: LockedConversation, message: Message, _membership: Membership | None
    ) -> bool:
        if message.deleted_at is not None:
            raise Conflict("This message was deleted.")
        existing = session.get(Reaction, (message.id, actor.user_id, emoji))
        if (existing is not None) == on:
            return False
        if existing is not None:
            session.delete(existing)
            return True
        if (custom := _CUSTOM_EMOJI.fullmatch(emoji)) and session.get(CustomEmoji, custom[1]) is None:
            raise Invalid(f"There is no emoji {emoji}.")
        ((different,),) = _COUNT_OTHERS.fetch(session, message_id=message.id, reaction=emoji)
        if different >= MAX_DIFFERENT_REACTIONS:
            raise Conflict(f"A message has at most {MAX_DIFFERENT_REACTIONS} different reactions.")
        session.add(Reaction(message_id=message.id, user_id=actor.user_id, reaction=emoji))
        return True

    return write(_change_message(ref, actor, seq, alter), locks=[ref.id])


def pin(ref: ConversationRef, actor: Actor, seq: int, *, on: bool) -> TimelineMessage:
    """Pin a message in its conversation, or unpin it (`on` false), and return the message.

    Raises `RateLimited`, what `authorize_pinning` raises, `NotFound`, and `Conflict` if the message was deleted or the
    conversation has too many pinned messages.
    """
    count_use(PINS, actor.user_id)
    limit = current_settings().max_pins

    def alter(
        session: Session, conversation: LockedConversation, message: Message, membership: Membership | None
    ) -> bool:
        authorize_pinning(conversation, membership, is_admin=is_admin(session, actor))
        if not on:
            return delete_pin(session, message.id)
        if message.deleted_at is not None:
            raise Conflict("This message was deleted.")
        return store_pin(session, message, actor.user_id, limit=limit)

    return write(_change_message(ref, actor, seq, alter), locks=[ref.id])


def remove_previews(ref: ConversationRef, actor: Actor, seq: int, url: str | None = None) -> TimelineMessage:
    """Remove the previews of a message's links, or only that of `url`, and return the message.

    Raises what `authorize_posting` and `authorize_preview_removal` raise, and `NotFound`.
    """

    def alter(
        session: Session, conversation: LockedConversation, message: Message, membership: Membership | None
    ) -> bool:
        authorize_preview_removal(conversation, message, actor, membership, is_admin=is_admin(session, actor))
        return delete_previews(session, message, lambda preview: url is None or preview.url == url)

    return write(_change_message(ref, actor, seq, alter), locks=[ref.id])


def store_previews(
    message: TimelineMessage, fetched: Sequence[PagePreview], list_urls: Callable[[str], Sequence[str]]
) -> None:
    """Store previews of a message's links, as one event, and delete those of links that it does not have.

    `list_urls` returns the links of a text. The message may have been edited, deleted or removed while the pages were
    fetched: only previews of links that it has now are stored. Raises `Unavailable` and `Busy`.
    """
    ref = message.conversation

    def change(transaction: Transaction) -> None:
        session = transaction.session
        conversation = lock_columns(session, [ref.id]).get(ref)
        row = session.scalars(_SELECT_MESSAGE, {"conversation_id": ref.id, "seq": message.seq}).one_or_none()
        if conversation is None or row is None or row.id != message.id or row.deleted_at is not None:
            return
        stored = fetch_previews(session, [row.id]).get(row.id, ())
        by_url = {preview.url: preview for preview in (*fetched, *stored)}
        previews = tuple(by_url[url] for url in list_urls(row.content) if url in by_url)
        if previews == stored:
            return
        replace_previews(session, row, previews)
        row.version = increment_last_event(transaction, conversation)
        session.flush()
        store_event_numbers(session, [conversation])
        send_changed(transaction, {ref: [row.seq]})

    write(change, locks=[ref.id])


def check_reaction(value: object) -> str:
    """Return the emoji, or the name of a custom one between colons. Raises `Invalid` for anything else."""
    if isinstance(value, str) and _CUSTOM_EMOJI.fullmatch(value):
        return value
    if isinstance(value, str) and 1 <= len(value) <= MAX_EMOJI_CHARS:
        categories = {unicodedata.category(character) for character in value}
        # Symbols, with the modifiers, joiners and selectors that emoji consist of.
        if _KEYCAP.fullmatch(value) or (
            "So" in categories and categories <= {"So", "Sk", "Cf", "Mn", "Me", "Po", "Sm"}
        ):
            return value
    raise Invalid("reaction must be one emoji.")


def _change_message(
    ref: ConversationRef, actor: Actor, seq: int, alter: Alter
) -> Callable[[Transaction], TimelineMessage]:
    def change(transaction: Transaction) -> TimelineMessage:
        session = transaction.session
        require_active_login(session, actor)
        locked = lock_columns(session, [ref.id]).get(ref)
        membership = find_access(session, ref, actor.user_id).membership
        conversation = authorize_posting(locked, membership)
        message = session.scalars(_SELECT_MESSAGE, {"conversation_id": ref.id, "seq": seq}).one_or_none()
        if message is None:
            raise NotFound("There is no such message.")
        was_deleted, old_content = message.deleted_at is not None, message.content
        has_changed = alter(session, conversation, message, membership)
        changed_roots: list[int] = []
        if has_changed:
            message.version = increment_last_event(transaction, conversation)
            session.flush()
            if message.content != old_content or (message.deleted_at is not None) != was_deleted:
                index_rows(session, [message])
            root = message.thread_root
            reply_count_change = int(was_deleted) - int(message.deleted_at is not None)
            if (
                root is not None
                and reply_count_change
                and recount_reply(transaction, conversation, root, reply_count_change)
            ):
                changed_roots.append(root)
            store_event_numbers(session, [conversation])
        changed = fetch_message(session, ref, message.id)
        if has_changed:
            transaction.send_on_commit(message_changed, changed)
            if message.edited_at is not None and message.content != old_content and not was_deleted:
                transaction.send_on_commit(content_edited, ContentEdited(changed, old_content))
            send_changed(transaction, {ref: changed_roots})
        return changed

    return change
