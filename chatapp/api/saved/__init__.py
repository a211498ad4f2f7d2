"""Saved messages over HTTP."""
