"""Limits that several packages share: rates, the network of a client, nesting of JSON, what other servers may send.

Limits of sockets are in `chatapp/socket_engine/`, those of HTTP connections in `chatapp/http_server/`, and those of
attempts to sign in in `chatapp/passwords/`.
"""
