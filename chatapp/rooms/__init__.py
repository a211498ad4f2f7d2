"""Rooms: open ones, which anybody may join, and private ones, which one is invited to."""
