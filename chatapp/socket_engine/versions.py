"""Versions of the libraries whose internals the fast engine was written for."""

from importlib.metadata import version

KNOWN_VERSIONS = {"python-socketio": "5.18.", "python-engineio": "4.15.", "eventlet": "0.41.", "Flask-SocketIO": "5.7."}
"""Minor releases that were read and tested. Patch releases are accepted; a new minor release may change internals."""


def list_unknown_versions() -> list[str]:
    """Return the libraries, with their versions, whose internals may differ from those that the fast engine knows."""
    return [f"{name} {version(name)}" for name, known in KNOWN_VERSIONS.items() if not version(name).startswith(known)]
