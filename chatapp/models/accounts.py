"""Users, their login sessions and API tokens, and the installation."""

import re
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, ForeignKey, Index, String, and_, or_, true
from sqlalchemy.orm import Mapped, mapped_column, validates

from chatapp.models.base import NEVER_REUSE_IDS, Base, now
from chatapp.models.encrypted import EncryptedText
from chatapp.tokens import hash_token

USERNAME_PATTERN = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?", re.ASCII)
"""A valid name of a user, an assistant or a webhook, to be matched in full."""


def _in_a_month() -> datetime:
    return now() + timedelta(days=30)


class User(Base):
    """A user with an account."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role IN ('member', 'admin')", name="role"),
        Index(None, "avatar_digest"),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(32), unique=True)
    name: Mapped[str] = mapped_column(String(64))
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16), default="member")
    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())
    sends_receipts: Mapped[bool] = mapped_column(default=True, server_default=true())
    """Whether others see the user's read receipts."""
    avatar_digest: Mapped[str | None] = mapped_column(String(64))
    """The user's picture in the store of files: see `chatapp.files.avatars`. Without one the initials are shown."""
    created_at: Mapped[datetime] = mapped_column(default=now)

    @property
    def is_admin(self) -> bool:
        """Whether the user administers the installation."""
        return self.role == "admin"


class LoginSession(Base):
    """A sign-in in one browser. Deleting the row revokes it."""

    __tablename__ = "user_sessions"
    __table_args__ = (NEVER_REUSE_IDS,)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the token in the cookie, so that nobody can sign in with a copy of the database."""
    device: Mapped[str | None] = mapped_column(String(200))
    """The browser's `User-Agent` when the user signed in, if known."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    last_seen_at: Mapped[datetime] = mapped_column(default=now)
    """When it was last used, with an inaccuracy of some minutes."""
    idle_expires_at: Mapped[datetime] = mapped_column(default=_in_a_month)
    """When it expires unless it is used until then."""
    expires_at: Mapped[datetime] = mapped_column(default=_in_a_month)
    """When it expires although it is used."""

    @classmethod
    def is_valid(cls, at: ColumnElement[datetime] | None = None) -> ColumnElement[bool]:
        """Return the condition that it has not expired: now, or at the time that a parameter gives."""
        moment = now() if at is None else at
        return and_(cls.idle_expires_at > moment, cls.expires_at > moment)


class SignInAttempts(Base):
    """The recent failed sign-ins to an account, or to an account from one of its known devices."""

    __tablename__ = "sign_in_attempts"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    """A hash: see `chatapp.passwords.attempts`."""
    count: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(index=True)


class ApiToken(Base):
    """A token with which a program acts as a user. Deleting the row revokes it."""

    __tablename__ = "api_tokens"
    __table_args__ = (CheckConstraint("scopes IN ('read', 'read write')", name="scopes"), NEVER_REUSE_IDS)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the token, which is shown only when it is created."""
    name: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[str] = mapped_column(String(32))
    """The permissions, separated by spaces."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    """None for tokens from before tokens expired."""

    @classmethod
    def is_valid(cls, at: ColumnElement[datetime] | None = None) -> ColumnElement[bool]:
        """Return the condition that it has not expired: now, or at the time that a parameter gives."""
        return or_(cls.expires_at.is_(None), cls.expires_at > (now() if at is None else at))


class Invitation(Base):
    """A link with which people create accounts, until it expires or was used often enough. Deleting it revokes it."""

    __tablename__ = "invitations"
    __table_args__ = (NEVER_REUSE_IDS,)

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the token, by which the invitation is found. It is set with the token."""
    token: Mapped[str] = mapped_column(EncryptedText("invitations.token"), deferred=True)
    """Not only hashed, so that admins can see the link again."""
    creator_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime | None]
    max_uses: Mapped[int | None]
    uses: Mapped[int] = mapped_column(default=0, server_default="0")

    @validates("token")
    def _set_hash(self, _name: str, token: str) -> str:
        self.token_hash = hash_token(token)
        return token


class Installation(Base):
    """The single row with the state of the installation."""

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    epoch: Mapped[str] = mapped_column(String(32))
    """A random id. Event numbers from another epoch are invalid: see `chatapp.timeline.epoch`."""
    database_timeline: Mapped[str | None] = mapped_column(String(32))
    """The server of PostgreSQL and its timeline, which a promotion changes: see `chatapp.timeline.promotion`."""
    revocations: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """Number of revoked login sessions and memberships: see `chatapp.revocations`."""
    people_version: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """Number of changes of names and pictures. What was rendered with those of people is valid for one version."""
    enforces_hosts: Mapped[bool] = mapped_column(default=True, server_default=true())
    """Whether requests to unknown host names are refused without `CHATAPP_ALLOWED_HOSTS`: see `chatapp.web.hosts`."""
    has_share_links: Mapped[bool] = mapped_column(default=True, server_default=true())
    """Whether conversations can be shared by public links. Otherwise existing links do not work."""
    has_outgoing_webhooks: Mapped[bool] = mapped_column(default=True, server_default=true())
    """Whether messages are sent to outgoing webhooks."""
