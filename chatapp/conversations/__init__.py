"""Conversations as such: their names on the wire, who may do what in them, and how to find them."""
