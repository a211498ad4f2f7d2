"""The check during an outage whether the database can store what waits in the spool."""

from collections.abc import Sequence

from sqlalchemy import false, update
from sqlalchemy.orm import Session

from chatapp.models import Installation
from chatapp.models.base import Base
from chatapp.timeline.event_numbers import lock_conversations
from chatapp.timeline.messages import TimelineMessage

_UPDATE_NOTHING = [
    update(table).where(false()).values({column: column for column in table.primary_key})
    for table in Base.metadata.sorted_tables
]


def probe_writing(session: Session, pending: Sequence[TimelineMessage]) -> None:
    """Take the locks that changes need: of each table, and of the conversations with messages in the spool.

    Otherwise the writer would wait for them itself when it drains the spool, and new messages for the writer. Raises
    what the database raises while another session holds one of them.
    """
    session.execute(update(Installation).values(epoch=Installation.epoch))
    for statement in _UPDATE_NOTHING:
        session.execute(statement)
    lock_conversations(session, {message.conversation.id for message in pending})
