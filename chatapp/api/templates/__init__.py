"""Session templates over the API."""
