"""Direct conversations: of two people, of a few, or with oneself."""
