"""The audit log."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from chatapp.models.base import NEVER_REUSE_IDS, Base, BigId, now

MAX_ADDRESS_CHARS = 64


class AuditEntry(Base):
    """A security-relevant event: who did what, to what, from where. It contains neither secrets nor message text."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index(None, "kind", "id"),
        Index(None, "actor", "id"),
        Index(None, "target", "id"),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    recorded_at: Mapped[datetime] = mapped_column(default=now, index=True)
    kind: Mapped[str] = mapped_column(String(40))
    """A value of `chatapp.audit_log.AuditKind`."""
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    actor: Mapped[str | None] = mapped_column(String(32))
    """The actor's username at that time; None on the command line and for visitors who are not signed in."""
    target: Mapped[str] = mapped_column(String(200), default="")
    """What it was done to: `@username`, or the name of a token, webhook or setting."""
    conversation: Mapped[str | None] = mapped_column(String(32))
    """The wire name of the conversation, if it concerns one."""
    address: Mapped[str | None] = mapped_column(String(MAX_ADDRESS_CHARS))
    """The actor's network address, unless the operator has disabled recording it."""
    count: Mapped[int] = mapped_column(default=1, server_default="1")
    """How many equal events the entry stands for: repeated failures of a sign-in share one entry."""
