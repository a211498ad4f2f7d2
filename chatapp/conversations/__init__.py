"""What all features share about conversations: names, kinds, permissions, queries."""
