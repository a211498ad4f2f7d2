"""Validation of message content and types."""

from chatapp.config import current_settings
from chatapp.errors import BadCharacters, Empty, Forbidden, Invalid, NotText, TooLong

TEXT, NOTICE, ERROR = "text", "system", "error"
"""The types of messages: see `Message.message_type`."""

ACTION = "/me "
"""What a message begins with whose sender writes of what they do: “/me waves” is shown as “Ana waves”."""


def check_content(content: object, limit: int | None = None, what: str = "A message") -> str:
    """Return `content` with line feeds between its lines, without leading empty lines and trailing white space.

    `limit` is the maximum length in characters; by default the setting `max_message_chars` applies. `what` begins the
    message of the error. Raises `NotText`, `Empty` (no visible character), `TooLong` or `BadCharacters` (NUL, which
    PostgreSQL cannot store; a lone surrogate, which has no encoding).
    """
    text = check_caption(content, limit, what)
    if not text:
        raise Empty(f"{what} needs some text.")
    return text


def check_caption(content: object, limit: int | None = None, what: str = "A message") -> str:
    """Return the content of a message that has files. It is empty if it has no visible character.

    Raises what `check_content` raises, but for `Empty`.
    """
    text = check_text(content, limit, what)
    return "" if is_blank(text) else text.rstrip().lstrip("\n")


def check_text(content: object, limit: int | None = None, what: str = "A message") -> str:
    """Return `content` with line feeds between its lines. It may be empty.

    Raises what `check_content` raises, but for `Empty`.
    """
    if not isinstance(content, str):
        raise NotText(f"{what} must be text.")
    if limit is None:
        limit = current_settings().max_message_chars
    # HTML forms submit line breaks as CRLF.
    content = content.replace("\r\n", "\n")
    if len(content) > limit:
        raise TooLong(f"{what} has at most {limit:,} characters; this one has {len(content):,}.")
    if "\0" in content or not _is_encodable(content):
        raise BadCharacters(f"{what} has characters that cannot be stored (NUL or half of a surrogate pair).")
    return content


def is_blank(content: str) -> bool:
    """Return whether a text has no visible character. Zero-width spaces are invisible too."""
    # Most texts begin with a visible one.
    return not (content[:1].isalnum() or any(each.isprintable() and not each.isspace() for each in content))


def check_message_type(value: object) -> str:
    """Return the type of a message that a user posts. Raises `Forbidden` for an error, `Invalid` for anything else."""
    if value == ERROR:
        raise Forbidden("Messages of the type “error” are written by chatapp only.")
    if not isinstance(value, str) or value not in {TEXT, NOTICE}:
        raise Invalid("message_type must be “text” or “system”.")
    return value


def _is_encodable(content: str) -> bool:
    if content.isascii():
        return True
    try:
        content.encode()
    except UnicodeEncodeError:
        return False
    return True
