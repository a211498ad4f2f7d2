"""Passwords: hashes, strength, limits for attempts, and confirmation by a user who is signed in."""
