"""Custom emoji in the API."""
