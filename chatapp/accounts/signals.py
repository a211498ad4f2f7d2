"""What accounts tell, after the commit."""

from blinker import Namespace

_signals = Namespace()

sessions_ended = _signals.signal("sessions-ended")
"""The ids of sessions that let nobody in any longer (`list[int]`)."""
