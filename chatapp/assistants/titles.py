"""Titles of assistant sessions."""

MAX_GENERATED_TITLE_CHARS = 60


def make_title(content: str) -> str:
    """Return a title for a session that begins with this message: its text, cut after a word."""
    line = " ".join(content.split())
    if len(line) <= MAX_GENERATED_TITLE_CHARS:
        return line
    return line[: MAX_GENERATED_TITLE_CHARS - 1].rsplit(" ", 1)[0].rstrip(",;:.") + "…"
