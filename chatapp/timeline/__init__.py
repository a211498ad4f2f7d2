"""The core: one timeline for every conversation. It knows nothing of HTTP or Socket.IO.

Whoever writes submits a change to the `Writer`; whoever wants to hear of it subscribes to `signals`.
"""

from chatapp.timeline.messages import Head, Sender, TimelineMessage
from chatapp.timeline.posting import post
from chatapp.timeline.reading import CatchUp, Page, catch_up, list_heads, page
from chatapp.timeline.writer import Transaction, Writer, write

__all__ = [
    "CatchUp",
    "Head",
    "Page",
    "Sender",
    "TimelineMessage",
    "Transaction",
    "Writer",
    "catch_up",
    "list_heads",
    "page",
    "post",
    "write",
]
