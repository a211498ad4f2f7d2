"""The kinds of entries in the audit log."""

from enum import StrEnum


class AuditKind(StrEnum):
    """What happened: the object, and what was done to it. The values are stored and exported: never change one."""

    SIGN_IN = "sign_in"
    SIGN_IN_FAILED = "sign_in.failed"
    SIGN_IN_LIMITED = "sign_in.limited"
    SIGN_OUT = "sign_out"
    LOGIN_SESSION_REVOKED = "login_session.revoked"
    USER_CREATED = "user.created"
    USER_BANNED = "user.banned"
    USER_UNBANNED = "user.unbanned"
    USER_ROLE_CHANGED = "user.role_changed"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105 - not a password
    PASSWORD_CHANGE_FAILED = "password.change_failed"  # noqa: S105 - not a password
    TOKEN_CREATED = "token.created"  # noqa: S105 - not a password
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 - not a password
    INVITATION_CREATED = "invitation.created"
    INVITATION_REVOKED = "invitation.revoked"
    MEMBER_ADDED = "member.added"
    MEMBER_REMOVED = "member.removed"
    MEMBER_ROLE_CHANGED = "member.role_changed"
    ROOM_CREATED = "room.created"
    ROOM_CHANGED = "room.changed"
    ROOM_ARCHIVED = "room.archived"
    ROOM_UNARCHIVED = "room.unarchived"
    ROOM_RECOVERED = "room.recovered"
    CONVERSATION_CLEARED = "conversation.cleared"
    WEBHOOK_CREATED = "webhook.created"
    WEBHOOK_CHANGED = "webhook.changed"
    WEBHOOK_DELETED = "webhook.deleted"
    WEBHOOK_SUSPENDED = "webhook.suspended"
    WEBHOOK_ADOPTED = "webhook.adopted"
    SHARE_LINK_CREATED = "share_link.created"
    SHARE_LINK_REVOKED = "share_link.revoked"
    TEMPLATE_CREATED = "template.created"
    TEMPLATE_CHANGED = "template.changed"
    TEMPLATE_DELETED = "template.deleted"
    EMOJI_ADDED = "emoji.added"
    EMOJI_DELETED = "emoji.deleted"
    ASSISTANT_PICTURE_CHANGED = "assistant_picture.changed"
    ASSISTANT_PICTURE_REMOVED = "assistant_picture.removed"
    SETTING_CHANGED = "setting.changed"
    AUDIT_LOG_EXPORTED = "audit_log.exported"
