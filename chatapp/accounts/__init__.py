"""Accounts: the first one, invitations, signing in and out, one's own name and password."""
