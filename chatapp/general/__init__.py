"""The general chat, where everybody is."""
