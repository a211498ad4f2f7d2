"""Direct conversations: between two people, between a few, or a notepad."""
