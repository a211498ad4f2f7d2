"""The tables: a file for each family."""

from chatapp.models.accounts import Installation, User, UserSession
from chatapp.models.base import Base, now
from chatapp.models.conversations import Conversation, Membership
from chatapp.models.messages import Message, Reaction, RetiredKey

__all__ = [
    "Base",
    "Conversation",
    "Installation",
    "Membership",
    "Message",
    "Reaction",
    "RetiredKey",
    "User",
    "UserSession",
    "now",
]
