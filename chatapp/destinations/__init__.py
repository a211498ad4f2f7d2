"""Destinations of the jump dialog and of forwarded messages, also those that the sidebar does not list."""
