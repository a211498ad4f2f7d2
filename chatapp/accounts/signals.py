"""What accounts tell, after the commit."""

from blinker import Namespace

_signals = Namespace()

login_sessions_revoked = _signals.signal("login-sessions-revoked")
"""The ids of sessions that let nobody in any longer (`list[int]`)."""
