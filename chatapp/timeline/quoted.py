"""The messages that others reply to: pages show a quote of them."""

from collections.abc import Collection, Sequence

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from chatapp.models import Conversation, Installation, Message
from chatapp.timeline.known_messages import fetch_known
from chatapp.timeline.messages import TimelineMessage

_MESSAGES, _INSTALLATION = Message.__table__, Installation.__table__

_KEYS = (
    select(_INSTALLATION.c.epoch, _INSTALLATION.c.people_version, _MESSAGES.c.id, _MESSAGES.c.version)
    .select_from(_MESSAGES.join(_INSTALLATION, _INSTALLATION.c.id == 1))
    .where(
        _MESSAGES.c.conversation_id == bindparam("conversation_id"),
        _MESSAGES.c.seq.in_(bindparam("seqs", expanding=True)),
    )
    .order_by(_MESSAGES.c.seq)
)


def read_quoted(
    session: Session, conversation: Conversation, messages: Sequence[TimelineMessage]
) -> Sequence[TimelineMessage]:
    """Return the messages that these quote, without those that are among them. Most pages have none."""
    quoted = {message.quoted_seq for message in messages if message.quoted_seq is not None}
    if not quoted:
        return ()
    return read_by_seqs(session, conversation, quoted - {message.seq for message in messages})


def read_by_seqs(session: Session, conversation: Conversation, seqs: Collection[int]) -> Sequence[TimelineMessage]:
    """Return the messages of a conversation with these numbers, without those that do not exist."""
    if not seqs:
        return ()
    rows = session.execute(_KEYS, {"conversation_id": conversation.id, "seqs": list(seqs)}).all()
    return fetch_known(session, conversation, rows)
