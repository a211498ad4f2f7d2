"""Signals of the timeline.

All but `messages_stored` and `epoch_renewed` are sent after the commit, in the order of the changes.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from chatapp.conversations.refs import ConversationRef
from chatapp.errors import ChatError
from chatapp.signals import Signal
from chatapp.storage import Transaction
from chatapp.timeline.messages import Head, TimelineMessage, fetch_messages_by_seq
from chatapp.timeline.read_markers import ReadReceipt, ReadState
from chatapp.timeline.threads import ThreadState


@dataclass(frozen=True, slots=True)
class MessageRejected:
    """A pending message that was rejected, and the error."""

    conversation: ConversationRef
    sender_id: int
    client_id: str
    error: ChatError


@dataclass(frozen=True, slots=True)
class MessagesStored:
    """New messages, and the transaction that inserted them."""

    transaction: Transaction
    messages: Sequence[TimelineMessage]


@dataclass(frozen=True, slots=True)
class ContentEdited:
    """A message whose text its sender has edited, and the text before that."""

    message: TimelineMessage
    old_content: str


@dataclass(frozen=True, slots=True)
class ReadReceiptChanged:
    """The new read receipt of a member."""

    conversation: ConversationRef
    receipt: ReadReceipt


@dataclass(frozen=True, slots=True)
class SavedChanged:
    """A person has saved a message, or no longer."""

    user_id: int
    conversation: ConversationRef
    seq: int
    is_saved: bool


@dataclass(frozen=True, slots=True)
class DraftChanged:
    """A person's draft was saved, or removed."""

    user_id: int
    conversation: ConversationRef
    thread_root: int | None
    """None for the draft of the conversation itself."""
    content: str
    """Empty if it was removed."""
    version: int
    """That of the draft. After it was removed a later one, which no draft has."""


messages_stored: Signal[MessagesStored] = Signal("messages-stored")
"""Sent before the commit, within the transaction and on a native thread: for rows that must be stored together with a
message. A receiver that raises rolls the messages back.
"""

messages_posted: Signal[Sequence[TimelineMessage]] = Signal("messages-posted")
"""New messages that one commit has stored, those of a conversation in the order of their numbers."""

message_changed: Signal[TimelineMessage] = Signal("message-changed")
"""A message that was edited, deleted or reacted to."""

content_edited: Signal[ContentEdited] = Signal("content-edited")
"""A message with another text than before, after `message_changed`."""

message_pending: Signal[TimelineMessage] = Signal("message-pending")
"""A pending message, which has no `seq`."""

message_saved: Signal[TimelineMessage] = Signal("message-saved")
"""A message that was pending and is now stored, with its `seq`."""

message_rejected: Signal[MessageRejected] = Signal("message-rejected")
"""A message that was pending and was then rejected. The spool keeps it."""

timeline_trimmed: Signal[Head] = Signal("timeline-trimmed")
"""The messages up to the floor of this head were removed."""

read_state_changed: Signal[ReadState] = Signal("read-state-changed")
"""A user's read marker in a conversation was moved."""

read_receipt_changed: Signal[ReadReceiptChanged] = Signal("read-receipt-changed")
"""Somebody has read further in a conversation that shows read receipts."""

thread_state_changed: Signal[ThreadState] = Signal("thread-state-changed")
"""Somebody follows a thread or no longer does, or has read it."""

saved_changed: Signal[SavedChanged] = Signal("saved-changed")
"""A user's saved messages have changed."""

draft_changed: Signal[DraftChanged] = Signal("draft-changed")
"""A user's draft has changed."""

epoch_renewed: Signal[str] = Signal("epoch-renewed")
"""The new epoch, when this process has detected it. Any process may have renewed it. Not sent after a commit."""


def send_changed(transaction: Transaction, changed: Mapping[ConversationRef, Collection[int]]) -> None:
    """Send `message_changed` for messages after the commit, in the order of their versions: `seq` by conversation."""
    for ref, seqs in changed.items():
        if not seqs:
            continue
        messages = fetch_messages_by_seq(transaction.session, ref, list(seqs))
        for message in sorted(messages, key=lambda message: message.version or 0):
            transaction.send_on_commit(message_changed, message)
