"""Drafts over HTTP."""
