"""Rooms: open ones, which every user can join, and private ones, whose members add others."""
