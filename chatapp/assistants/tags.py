"""Tags of assistant sessions: short texts by which their owner finds them."""

from collections.abc import Sequence

from chatapp.errors import Invalid
from chatapp.text import clean_line

MAX_TAGS = 10

MAX_TAG_CHARS = 30

MAX_CATEGORY_CHARS = 40

SEPARATOR = ","


def join_tags(tags: Sequence[str]) -> str:
    """Validate tags and return them in the form that is stored. Tags that differ only in case are the same.

    Raises `Invalid`.
    """
    cleaned = [clean_line(tag, "A tag", max_chars=MAX_TAG_CHARS) for tag in tags]
    if any(SEPARATOR in tag for tag in cleaned):
        raise Invalid("A tag cannot contain a comma.")
    unique: dict[str, str] = {}
    for tag in cleaned:
        unique.setdefault(tag.casefold(), tag)
    if len(unique) > MAX_TAGS:
        raise Invalid(f"A session has at most {MAX_TAGS} tags.")
    return SEPARATOR.join(unique.values())


def split_tags(text: str) -> list[str]:
    """Return the tags of a text in which commas separate them: what is stored, or what a user entered."""
    return [tag.strip() for tag in text.split(SEPARATOR) if tag.strip()]


def clean_category(category: str) -> str:
    """Return a valid category, or an empty text for none. Raises `Invalid`."""
    return clean_line(category, "A category", min_chars=0, max_chars=MAX_CATEGORY_CHARS)
