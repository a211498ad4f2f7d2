"""Webhooks of rooms: outgoing ones receive messages that mention them, incoming ones post messages."""
