"""Answers of assistants, their count for each user, session templates, and share links."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column, validates

from chatapp.models.base import NEVER_REUSE_IDS, Base, BigId, now
from chatapp.models.encrypted import EncryptedText
from chatapp.tokens import hash_token

_IS_OPEN = text("ended_at IS NULL")


class Answer(Base):
    """One answer of an assistant, which fills a message: queued, running or ended."""

    __tablename__ = "answers"
    __table_args__ = (
        Index(None, "asker_id", "created_at"),
        # A small index of the open answers, which workers poll.
        Index("ix_answers_open", "conversation_id", "id", sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), index=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    asker_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    """The user with whose permissions the assistant reads."""
    assistant: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[datetime] = mapped_column(default=now)
    leased_until: Mapped[datetime | None]
    """End of the lease of the process that works on it; None while it is queued."""
    is_stopped: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether a user has requested that it stops."""
    ended_at: Mapped[datetime | None]


class AssistantUsage(Base):
    """One question of a user in the last 24 hours, counted for the limit.

    Unlike `Answer` it outlives the conversation: deleting that does not give the question back.
    """

    __tablename__ = "assistant_usage"
    __table_args__ = (Index(None, "user_id", "asked_at"), NEVER_REUSE_IDS)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    asked_at: Mapped[datetime] = mapped_column(default=now)


class SessionTemplate(Base):
    """What an assistant session can begin with: a prompt and first messages.

    It is copied into the session, which later changes of the template do not alter.
    """

    __tablename__ = "session_templates"
    __table_args__ = (NEVER_REUSE_IDS,)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    """The user who uses and edits it. None if everybody uses it and admins edit it."""
    name: Mapped[str] = mapped_column(String(80))
    assistant: Mapped[str | None] = mapped_column(String(32))
    """The key of the assistant; None if the user chooses it."""
    prompt: Mapped[str] = mapped_column(Text, default="")
    """Added to the prompt of the assistant."""
    messages: Mapped[list[dict[str, str]]] = mapped_column(JSON, default=list)
    """The first messages, in their order, each with `role` and `content`."""
    category: Mapped[str] = mapped_column(String(40), default="")
    tags: Mapped[str] = mapped_column(String(400), default="")
    """The category and the tags of the sessions."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)


class ShareLink(Base):
    """A public URL at which anyone can read a conversation."""

    __tablename__ = "share_links"

    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the token, by which the link is found. It is set with the token."""
    token: Mapped[str] = mapped_column(EncryptedText("share_links.token"), deferred=True)
    """Not only hashed, so that users who may share the conversation can see the URL again."""
    creator_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    @validates("token")
    def _set_hash(self, _name: str, token: str) -> str:
        self.token_hash = hash_token(token)
        return token
