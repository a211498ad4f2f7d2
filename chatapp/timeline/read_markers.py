"""Values of read markers: the read state of a user, and the read receipt that others see."""

from dataclasses import dataclass

from chatapp.conversations.people import Person
from chatapp.conversations.refs import ConversationRef

MemberKey = tuple[int, int]
"""Conversation id and user id."""


@dataclass(frozen=True, slots=True)
class ReadState:
    """A user's read marker in a conversation, with the unread count and the number of mentions after it."""

    conversation: ConversationRef
    user_id: int
    last_read_seq: int
    unread: int
    mentions: int

    @property
    def key(self) -> MemberKey:
        """Conversation id and user id."""
        return self.conversation.id, self.user_id


@dataclass(frozen=True, slots=True)
class ReadReceipt:
    """How far a member has read, as the others see it."""

    person: Person
    seq: int
