"""Files of messages over the API."""
