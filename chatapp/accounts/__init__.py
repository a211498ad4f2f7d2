"""Accounts: the first one, invitations, signing in and out, profile, password and bans."""
