"""The tables: a file for each family."""

from chatapp.models.accounts import Installation, User, UserSession
from chatapp.models.base import Base, now
from chatapp.models.conversations import Block, Conversation, Membership
from chatapp.models.messages import Mention, Message, Reaction, RetiredKey

__all__ = [
    "Base",
    "Block",
    "Conversation",
    "Installation",
    "Membership",
    "Mention",
    "Message",
    "Reaction",
    "RetiredKey",
    "User",
    "UserSession",
    "now",
]
