"""Uploads over the API."""
