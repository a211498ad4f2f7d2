"""Assistants: they answer questions in conversations, and their answers are streamed."""
