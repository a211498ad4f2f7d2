"""What tests use: real servers, people with real sockets, databases that can fail."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The folder of the project."""
