"""Conversations: names, kinds, authorization and queries, which all features use."""
