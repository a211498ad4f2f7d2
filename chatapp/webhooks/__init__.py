"""Outgoing webhooks: a room's messages that name one are sent to its address."""
