"""Signals of accounts, sent after the commit."""

from chatapp.signals import Signal

login_sessions_revoked: Signal[list[int]] = Signal("login-sessions-revoked")
"""The ids of login sessions that are no longer valid."""
