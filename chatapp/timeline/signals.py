"""What the core tells, after the commit and in its order. Whoever wants to hear of it subscribes.

Each signal is sent with one fact (a value, no row) and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blinker import Namespace

if TYPE_CHECKING:
    from chatapp.timeline.messages import TimelineMessage
    from chatapp.timeline.writer import Transaction

_signals = Namespace()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Which message was refused, and why."""

    conversation: str
    sender_id: int
    client_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class MessagesStored:
    """Which messages are new, and the transaction in which they are."""

    transaction: "Transaction"
    messages: "Sequence[TimelineMessage]"


messages_stored = _signals.signal("messages-stored")
"""`MessagesStored`, before the commit and within it, on a native thread: what has to be stored with a message or not at
all. The only signal that is sent before a commit; who raises here has the messages refused.
"""

message_posted = _signals.signal("message-posted")
"""A `TimelineMessage` that is new."""

message_changed = _signals.signal("message-changed")
"""A `TimelineMessage` that was edited, deleted or reacted to."""

message_pending = _signals.signal("message-pending")
"""A `TimelineMessage` without number: it waits in the spool."""

message_saved = _signals.signal("message-saved")
"""A `TimelineMessage` that had waited in the spool and has its number now."""

message_refused = _signals.signal("message-refused")
"""A `Refusal`: the database will not have a message that had waited in the spool; it is kept aside."""

timeline_trimmed = _signals.signal("timeline-trimmed")
"""A `Head`: messages up to its floor are gone."""

backlog_changed = _signals.signal("backlog-changed")
"""A `Backlog`: how much waits in the spool."""

read_state_changed = _signals.signal("read-state-changed")
"""A `ReadState`: a person's mark in a conversation was moved."""

read_receipt_changed = _signals.signal("read-receipt-changed")
"""A `ReadReceiptChanged`: the others of the conversation see how far somebody has read."""
