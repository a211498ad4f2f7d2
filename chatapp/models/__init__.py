"""The database tables."""

from chatapp.models.accounts import ApiToken, Installation, Invitation, LoginSession, SignInAttempts, User
from chatapp.models.assistants import Answer, AssistantUsage, SessionTemplate, ShareLink
from chatapp.models.audit import AuditEntry
from chatapp.models.base import Base, now
from chatapp.models.conversations import Block, Conversation, ConversationPreference, Membership
from chatapp.models.emoji import CustomEmoji
from chatapp.models.files import Attachment, LinkPreview, ScheduledFile
from chatapp.models.messages import Deletion, Mention, Message, MessageVersion, Pin, Reaction, RetiredKey
from chatapp.models.personal import Draft, SavedMessage
from chatapp.models.schedule import Reminder, ScheduledMessage
from chatapp.models.threads import Thread, ThreadMember
from chatapp.models.webhooks import IncomingWebhook, OutgoingWebhook, WebhookDelivery

__all__ = [
    "Answer",
    "ApiToken",
    "AssistantUsage",
    "Attachment",
    "AuditEntry",
    "Base",
    "Block",
    "Conversation",
    "ConversationPreference",
    "CustomEmoji",
    "Deletion",
    "Draft",
    "IncomingWebhook",
    "Installation",
    "Invitation",
    "LinkPreview",
    "LoginSession",
    "Membership",
    "Mention",
    "Message",
    "MessageVersion",
    "OutgoingWebhook",
    "Pin",
    "Reaction",
    "Reminder",
    "RetiredKey",
    "SavedMessage",
    "ScheduledFile",
    "ScheduledMessage",
    "SessionTemplate",
    "ShareLink",
    "SignInAttempts",
    "Thread",
    "ThreadMember",
    "User",
    "WebhookDelivery",
    "now",
]
