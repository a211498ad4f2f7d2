"""Limits of metadata, which programs store with messages and assistant sessions."""

MAX_METADATA_BYTES = 16_384
"""Maximum size, encoded as JSON in UTF-8 without white space."""

MAX_METADATA_DEPTH = 16
"""Maximum nesting: less than that of the packets, responses and webhooks that contain it."""
