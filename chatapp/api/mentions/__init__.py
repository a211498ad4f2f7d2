"""Mentions over HTTP."""
