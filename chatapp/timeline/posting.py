"""Posting messages."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chatapp.actors import Actor
from chatapp.config import current_settings
from chatapp.conversations.kinds import has_assistant
from chatapp.conversations.people import Person
from chatapp.conversations.refs import ConversationRef, parse_ref
from chatapp.errors import ChatError, Invalid
from chatapp.failpoints import failpoint
from chatapp.files.attached import AttachedFile
from chatapp.models import now
from chatapp.operation import current_request_id
from chatapp.search.index import tokenize_text
from chatapp.storage import DeferredSignal, SpoolableChange, Transaction, current_writer, write
from chatapp.timeline.client_ids import check_client_id
from chatapp.timeline.content import TEXT, check_caption, check_content, check_message_type
from chatapp.timeline.drafts import SentDraft, remove_sent
from chatapp.timeline.messages import TimelineMessage
from chatapp.timeline.metadata import check_metadata
from chatapp.timeline.post_batch import Accepted, Duplicate, NewMessage, PostBatch, Rejected
from chatapp.timeline.signals import (
    MessageRejected,
    MessagesStored,
    message_pending,
    message_rejected,
    message_saved,
    messages_posted,
    messages_stored,
    send_changed,
)
from chatapp.timeline.sizes import limit_size

MAX_LISTED_PENDING = 200
"""Maximum number of pending messages in a list."""


def post(
    ref: ConversationRef,
    actor: Actor,
    *,
    content: object,
    client_id: object,
    message_type: object = TEXT,
    metadata: object = None,
    reply_to: int | None = None,
    thread_seq: int | None = None,
    is_in_room: bool = True,
    draft_version: int | None = None,
    files: Sequence[AttachedFile] = (),
    files_error: ChatError | None = None,
    authorized_sender: Person | None = None,
) -> TimelineMessage:
    """Store a message and return it, once it is durable: see `prepare_post`."""
    return write(
        prepare_post(
            ref,
            actor,
            content=content,
            client_id=client_id,
            message_type=message_type,
            metadata=metadata,
            reply_to=reply_to,
            thread_seq=thread_seq,
            is_in_room=is_in_room,
            draft_version=draft_version,
            files=files,
            files_error=files_error,
            authorized_sender=authorized_sender,
            max_chars=current_settings().max_message_chars,
        )
    )


def prepare_post(
    ref: ConversationRef,
    actor: Actor,
    *,
    content: object,
    client_id: object,
    message_type: object,
    metadata: object,
    reply_to: int | None,
    thread_seq: int | None = None,
    is_in_room: bool = True,
    draft_version: int | None = None,
    files: Sequence[AttachedFile] = (),
    files_error: ChatError | None = None,
    authorized_sender: Person | None,
    max_chars: int,
) -> "Post":
    """Return the change that stores a message, and whose result is the message.

    `reply_to` is the `seq` of the message of the same conversation that it replies to, `thread_seq` that of a message
    of the thread that it is a reply in: the root, or another reply there. `is_in_room` is whether such a reply is also
    sent to the room, as every other message is. `draft_version` is the last version that the sender's device
    knows of the draft that became the message, 0 if it may have saved one: see `remove_sent`.

    A message with `files` may have no text. `files_error` is raised instead of storing it if files that it should have
    are not available, but not for a message that is stored already: those of a repetition may be gone.

    A repeated `client_id` returns the stored message in its current state, or only a confirmation to a sender who may
    no longer read it: the message as it was sent, without an id.

    During an outage the message is spooled and returned as `is_pending`, if the caller passes an `authorized_sender`:
    the sender, who was authorized to post earlier. If the message that it replies to does not exist when the spool is
    drained, it is stored as no reply: it was acknowledged. Without its thread it is stored as a message of the room.

    Raises what `check_content`, `check_client_id`, `check_message_type` and `check_metadata` raise, and `Invalid` for a
    thread in a conversation with an assistant. The change raises
    what `authorize_posting` and `authorize_notice` raise, and `InvalidReply`, `ThreadRemoved`, `SignedOut`; writing it
    raises `Busy` and `Unavailable`.
    """
    check_has_threads(ref, thread_seq)
    needs_text = not files and files_error is None
    text = check_content(content, max_chars) if needs_text else check_caption(content, max_chars)
    return Post(
        ref,
        actor,
        text,
        check_client_id(client_id),
        now(),
        message_type=check_message_type(message_type),
        metadata=check_metadata(metadata),
        reply_to=reply_to,
        thread_seq=thread_seq,
        is_in_room=thread_seq is None or is_in_room,
        draft_version=draft_version,
        files=tuple(files),
        files_error=files_error,
        authorized_sender=authorized_sender,
        request_id=current_request_id.get(),
        search_tokens=tokenize_text(text, [file.name for file in files]),
    )


def check_has_threads(ref: ConversationRef, thread_seq: int | None) -> None:
    """Raise `Invalid` for a reply in a thread of a conversation with an assistant, which has none."""
    if thread_seq is not None and has_assistant(ref):
        raise Invalid("A conversation with an assistant has no threads.")


def list_pending(ref: ConversationRef) -> Sequence[TimelineMessage]:
    """Return the conversation's last pending messages, those in the spool of this process, oldest first.

    Clients receive the others when they are stored.
    """
    pending: list[TimelineMessage] = current_writer().list_pending()
    messages = [message for message in pending if message.conversation == ref]
    return limit_size(messages[-MAX_LISTED_PENDING:], keeps_last=True)


@dataclass(slots=True)
class Post(NewMessage, SpoolableChange[TimelineMessage]):
    """The change that stores a message."""

    draft_version: int | None = None
    """None if there was no draft."""
    authorized_sender: Person | None = None
    """The sender, if somebody has authorized them earlier: only then the post can be spooled."""

    @property
    def lock_keys(self) -> Collection[int]:
        """The id of the conversation."""
        return (self.conversation.id,)

    @classmethod
    def apply_batch(cls, transaction: Transaction, changes: Sequence[Any]) -> Sequence[TimelineMessage | ChatError]:
        """Store the posts in their order, each with the next number of its conversation."""
        batch = PostBatch(transaction, changes)
        outcomes = batch.add_posts()
        failpoint("before-insert")
        stored = batch.insert()
        results = [_get_result(outcome, stored) for outcome in outcomes]
        if any(post.was_spooled for post in changes):
            # Also those that a commit stored whose acknowledgement was lost.
            for result in results:
                if isinstance(result, TimelineMessage):
                    transaction.send_on_commit(message_saved, result)
        elif posted := [*_list_unsent(changes, outcomes), *stored]:
            transaction.send_on_commit(messages_posted, posted)
        send_changed(transaction, batch.changed_roots)
        if any(post.draft_version is not None for post in changes):
            remove_sent(transaction, _list_sent_drafts(changes, outcomes, stored))
        if stored:
            # After the signals of the posts: receivers store rows, such as an answer, and defer their own signals.
            transaction.send(messages_stored, MessagesStored(transaction, stored))
        return results

    def has_stored(self, message: TimelineMessage) -> bool:
        """Return whether a message with the key of this post was stored for it, not for an earlier submission.

        It has the time of this submission then.
        """
        return message.created_at == self.created_at

    def pending_result(self) -> TimelineMessage | None:
        """Return the message without an event number.

        Return None if there is no `authorized_sender`, if it is a notice, which not everybody may post, or if its files
        are not available.
        """
        if self.authorized_sender is None or self.message_type != TEXT or self.files_error is not None:
            return None
        return TimelineMessage(
            conversation=self.conversation,
            sender=self.authorized_sender,
            content=self.content,
            client_id=self.client_id,
            created_at=self.created_at,
            is_pending=True,
            metadata=self.metadata,
            reply_to=self.reply_to,
            # That of a reply, if the sender has named one: the root is known once the message is stored.
            thread_root=self.thread_seq,
            is_in_room=self.is_in_room,
            files=self.files,
            request_id=self.request_id,
        )

    def pending_signal(self, result: TimelineMessage) -> DeferredSignal[Any]:
        """Return the signal that the message waits in the spool."""
        return DeferredSignal(message_pending, result)

    def rejected_signal(self, error: ChatError) -> DeferredSignal[Any]:
        """Return the signal that the message was rejected."""
        return DeferredSignal(
            message_rejected, MessageRejected(self.conversation, self.actor.user_id, self.client_id, error)
        )

    def to_fields(self) -> dict[str, object]:
        """Return the fields that the spool stores."""
        fields: dict[str, object] = {
            "conversation": self.conversation.wire_name,
            "content": self.content,
            "client_id": self.client_id,
            "created_at": self.created_at.isoformat(),
            "sender": self.authorized_sender and self.authorized_sender.to_fields(),
        }
        optional = {
            "metadata": self.metadata,
            "reply_to": self.reply_to,
            "thread_root": self.thread_seq,
            "is_in_room": None if self.is_in_room else False,
            "draft_version": self.draft_version,
            "files": [file.to_fields() for file in self.files] or None,
            "request_id": self.request_id or None,
        }
        return fields | {name: value for name, value in optional.items() if value is not None}

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> "Post":
        """Create the post from the fields of the spool. Its sender may have signed out meanwhile."""
        sender = Person(**fields["sender"])
        return cls(
            conversation=parse_ref(fields["conversation"]),
            actor=Actor(sender.id),
            content=fields["content"],
            client_id=fields["client_id"],
            created_at=datetime.fromisoformat(fields["created_at"]),
            authorized_sender=sender,
            was_spooled=True,
            metadata=fields.get("metadata"),
            reply_to=fields.get("reply_to"),
            thread_seq=fields.get("thread_root"),
            is_in_room=fields.get("is_in_room", True),
            draft_version=fields.get("draft_version"),
            files=tuple(AttachedFile.from_fields(each) for each in fields.get("files", ())),
            request_id=fields.get("request_id", ""),
        )


def _list_sent_drafts(
    posts: Sequence[Post], outcomes: Sequence[Accepted | Duplicate | Rejected], stored: Sequence[TimelineMessage]
) -> Iterator[SentDraft]:
    for post, outcome in zip(posts, outcomes, strict=True):
        if post.draft_version is not None and isinstance(outcome, Accepted):
            root = stored[outcome.index].thread_root
            yield SentDraft(post.actor.user_id, post.conversation, root, post.client_id, post.draft_version)


def _get_result(
    outcome: Accepted | Duplicate | Rejected, stored: Sequence[TimelineMessage]
) -> TimelineMessage | ChatError:
    """Return what the sender of a post gets."""
    match outcome:
        case Accepted(index):
            return stored[index]
        case Duplicate(message):
            return message
        case Rejected(error):
            return error


def _list_unsent(posts: Sequence[Post], outcomes: Sequence[Accepted | Duplicate | Rejected]) -> list[TimelineMessage]:
    """Return the messages that an earlier attempt to commit these posts has stored: nobody has received them."""
    return [
        outcome.message
        for post, outcome in zip(posts, outcomes, strict=True)
        if isinstance(outcome, Duplicate) and post.has_stored(outcome.message)
    ]
