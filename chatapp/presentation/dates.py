"""Dates and times as pages show them, in UTC. The page's script shows the time of a message in the reader's zone."""

from datetime import date, datetime


def format_date(moment: date) -> str:
    """Return the date, such as “3 March 2026”."""
    return f"{moment:%-d %B %Y}"


def format_date_time(moment: datetime) -> str:
    """Return date and time, such as “3 March 2026, 14:05 UTC”."""
    return f"{moment:%-d %B %Y, %H:%M} UTC"
