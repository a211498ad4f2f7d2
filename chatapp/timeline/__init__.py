"""The timeline of every conversation: posting, changing and reading messages. It knows neither HTTP nor Socket.IO.

Changes are submitted to the writer (`chatapp.storage`); their signals are in `chatapp.timeline.signals`.
"""

from chatapp.concurrency.supervision import Supervisor
from chatapp.config import Settings
from chatapp.encryption.keys import SPOOL
from chatapp.signals import Signals
from chatapp.storage import Writer
from chatapp.storage.engines import writer_engine
from chatapp.storage.spool import Spool
from chatapp.storage.statements import StatementObserver
from chatapp.storage.watermarks import Watermarks
from chatapp.timeline.bots import store_bot_message
from chatapp.timeline.changing import delete, edit, pin, react, remove_previews, undelete
from chatapp.timeline.event_numbers import lock_conversations
from chatapp.timeline.forwarding import forward
from chatapp.timeline.messages import Head, TimelineMessage
from chatapp.timeline.posting import Post, list_pending, post, prepare_post
from chatapp.timeline.probe import probe_writing
from chatapp.timeline.promotion import watch_for_promotion
from chatapp.timeline.read_state import MoveReadMarker, mark_read
from chatapp.timeline.reading import CatchUp, Page, catch_up, get_message, list_heads, read_page

__all__ = [
    "CatchUp",
    "Head",
    "MoveReadMarker",
    "Page",
    "TimelineMessage",
    "catch_up",
    "create_writer",
    "delete",
    "edit",
    "forward",
    "get_message",
    "list_heads",
    "list_pending",
    "mark_read",
    "pin",
    "post",
    "prepare_post",
    "react",
    "read_page",
    "remove_previews",
    "store_bot_message",
    "undelete",
]


def create_writer(
    settings: Settings,
    supervisor: Supervisor,
    signals: Signals,
    statements: StatementObserver | None = None,
    *,
    is_serving: bool = False,
) -> Writer:
    """Create the writer of a process. Its spool stores posts."""
    engine = writer_engine(settings, statements, is_serving=is_serving)
    watermarks = Watermarks(settings.watermarks_path)
    watch_for_promotion(engine, watermarks)
    return Writer(
        engine,
        Spool(settings.spool_path, settings.derive_key(SPOOL)),
        supervisor,
        signals,
        watermarks,
        spoolable_class=Post,
        probe=probe_writing,
        lock=lock_conversations,
        max_batch=settings.write_batch,
        max_queued=settings.max_queued_writes,
        max_spooled=settings.max_spooled_messages,
    )
