"""Passwords that are easy to guess: common ones, variations of them, names, repetitions, sequences, dates.

zxcvbn brings lists of the most common passwords and words, and estimates how many guesses a password resists.
"""

from collections.abc import Sequence

MIN_SCORE = 2
"""Of zxcvbn's scores: a password with less is found by a million guesses."""

MAX_CHECKED_CHARS = 32
"""Only the beginning is checked: the time grows faster than the length, and people wait for the event loop."""


def explain_weakness(password: str, names: Sequence[str]) -> str | None:
    """Return why a password is easy to guess for someone who knows the user's `names`; None if it is not."""
    from zxcvbn import zxcvbn  # Imported here: its lists take time and memory, and few processes need them.

    words = ["chatapp", *(word for name in names for word in (name, *name.split()))]
    estimate = zxcvbn(password[:MAX_CHECKED_CHARS], user_inputs=words)
    if estimate["score"] >= MIN_SCORE:
        return None
    return str(estimate["feedback"]["warning"]) or "It is similar to common passwords or to your name."
