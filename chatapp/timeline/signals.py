"""Signals of the timeline.

All but `messages_stored` and `epoch_renewed` are sent after the commit, in the order of the changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chatapp.conversations.refs import ConversationRef
from chatapp.errors import ChatError
from chatapp.signals import Signal
from chatapp.storage import Transaction
from chatapp.timeline.messages import Head, TimelineMessage
from chatapp.timeline.read_markers import ReadReceipt, ReadState


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
class ReadReceiptChanged:
    """The new read receipt of a member."""

    conversation: ConversationRef
    receipt: ReadReceipt


messages_stored: Signal[MessagesStored] = Signal("messages-stored")
"""Sent before the commit, within the transaction and on a native thread: for rows that must be stored together with a
message. A receiver that raises rolls the messages back.
"""

messages_posted: Signal[Sequence[TimelineMessage]] = Signal("messages-posted")
"""New messages that one commit has stored, those of a conversation in the order of their numbers."""

message_changed: Signal[TimelineMessage] = Signal("message-changed")
"""A message that was edited, deleted or reacted to."""

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

epoch_renewed: Signal[str] = Signal("epoch-renewed")
"""The new epoch, when this process has detected it. Any process may have renewed it. Not sent after a commit."""
