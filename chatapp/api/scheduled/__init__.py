"""Scheduled messages over HTTP."""
