"""The versions of the libraries whose insides the fast way was written for."""

from importlib.metadata import version

KNOWN = {"python-socketio": "5.18.", "python-engineio": "4.15.", "eventlet": "0.41.", "Flask-SocketIO": "5.7."}
"""Releases that were read and tried. Another one's fixes are let in; what may be rebuilt in a new minor one is not."""


def list_unknown() -> list[str]:
    """List the libraries, with their versions, that are not those that the fast way knows."""
    return [f"{name} {version(name)}" for name, known in KNOWN.items() if not version(name).startswith(known)]
