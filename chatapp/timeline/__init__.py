"""The core: one timeline for every conversation. It knows nothing of HTTP or Socket.IO.

Whoever writes submits a change to the `Writer`; whoever wants to hear of it subscribes to `signals`.
"""

from chatapp.config import Settings
from chatapp.database import writer_engine
from chatapp.supervision import Supervisor
from chatapp.timeline.changing import delete, edit, react
from chatapp.timeline.messages import Head, TimelineMessage
from chatapp.timeline.posting import Post, list_pending, post, store_bot_message
from chatapp.timeline.read_state import mark_read, mark_unread
from chatapp.timeline.reading import CatchUp, Page, catch_up, get_message, list_heads, page
from chatapp.timeline.spool import Spool
from chatapp.timeline.writer import Transaction, Writer, write

__all__ = [
    "CatchUp",
    "Head",
    "Page",
    "TimelineMessage",
    "Transaction",
    "Writer",
    "catch_up",
    "delete",
    "edit",
    "get_message",
    "list_heads",
    "list_pending",
    "make_writer",
    "mark_read",
    "mark_unread",
    "page",
    "post",
    "react",
    "store_bot_message",
    "write",
]


def make_writer(settings: Settings, supervisor: Supervisor) -> Writer:
    """Make the writer of a process, with its spool."""
    return Writer(
        writer_engine(settings),
        Spool(settings.spool_path),
        Post,
        supervisor,
        batch=settings.write_batch,
        bound=settings.max_queued_writes,
        spool_bound=settings.max_spooled_messages,
    )
