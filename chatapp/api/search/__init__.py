"""Search of messages over the API."""
