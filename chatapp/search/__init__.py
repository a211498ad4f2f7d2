"""The search index of all messages: tokens of texts, writing the index, and what a person's query means."""
