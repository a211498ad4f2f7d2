"""Encryption of what chatapp stores: one master key, and keys derived from it for each purpose."""
