"""Assistants: they are asked in a conversation, and answer there in a stream."""
