"""What the core tells, after the commit and in its order. Whoever wants to hear of it subscribes.

Each signal is sent with one fact (a value, no row) and nothing else.
"""

from blinker import Namespace

_signals = Namespace()

message_posted = _signals.signal("message-posted")
"""A `TimelineMessage` that is new."""

timeline_trimmed = _signals.signal("timeline-trimmed")
"""A `Head`: messages up to its floor are gone."""
