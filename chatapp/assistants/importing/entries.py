"""Validation of imported rows."""

import json
import math
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from chatapp.assistants.importing.sources import Row
from chatapp.assistants.tags import join_tags, split_tags
from chatapp.errors import Invalid
from chatapp.timeline.content import ERROR, NOTICE, TEXT, check_content
from chatapp.timeline.metadata import Metadata, check_metadata

CLIENT_ID_NAMESPACE = uuid.UUID("5c1f6f0e-6d0b-4c39-9c0e-0a6d8b0a7b51")

ROLES = {
    "user": "user",
    "human": "user",
    "person": "user",
    "me": "user",
    "assistant": "assistant",
    "bot": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "system": "system",
}
"""The sender types of chatapp by the names that other programs use."""

TYPES = {"system": NOTICE, "error": ERROR}
"""Types by the names that other programs use. Any other is a text."""

TRANSIENT_TYPES = {
    "typing",
    "typing_start",
    "typing_stop",
    "stop_typing",
    "presence",
    "ping",
    "pong",
    "heartbeat",
    "read",
    "read_receipt",
    "delivered",
}
"""Types of rows that are not messages: other programs store them in the same table."""

MAX_SENDER_NAME_CHARS = 64

MIN_MILLISECONDS = 100_000_000_000
"""Numbers from here on are milliseconds: as seconds they would lie in the year 5138 or later."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A validated row."""

    client_id: str
    sender_type: str
    sender_name: str | None
    content: str
    created_at: datetime
    message_type: str
    metadata: Metadata | None


def is_transient(row: Row) -> bool:
    """Return whether a row is not a message but a short-lived event, such as typing."""
    return str(row.message_type).strip().lower() in TRANSIENT_TYPES


def is_missing(value: object) -> bool:
    """Return whether a row has no value in a column."""
    return value is None or (isinstance(value, str) and not value.strip())


def parse_entry(
    row: Row, assistant_ref: str, *, owner_id: int | None, has_sessions: bool, assumed_time: datetime
) -> Entry:
    """Validate a row of a conversation with the assistant of this display name. Raises `Invalid`.

    A row without a role is one of the assistant, unless its conversation is a session, where senders have names. A row
    without a time gets `assumed_time`.
    """
    sender = "assistant" if is_missing(row.sender) and not has_sessions else row.sender
    if not isinstance(sender, str) or is_missing(sender):
        raise Invalid("The sender is missing.")
    sender = sender.strip()
    sender_type = ROLES.get(sender.lower())
    if sender_type is None and not has_sessions:
        raise Invalid(f"The role is not one of: {', '.join(sorted(set(ROLES.values())))}.")
    if not sender.isprintable():
        raise Invalid("The name of the sender has characters that cannot be displayed.")
    if sender_type == "assistant":
        sender_name: str | None = assistant_ref
    else:
        sender_name = None if sender_type else sender[:MAX_SENDER_NAME_CHARS]
    return Entry(
        client_id=str(uuid.uuid5(CLIENT_ID_NAMESPACE, json.dumps([owner_id, *row.key], default=repr))),
        sender_type=sender_type or "user",
        sender_name=sender_name,
        content=check_content(row.content),
        created_at=assumed_time if is_missing(row.timestamp) else parse_timestamp(row.timestamp),
        message_type=NOTICE if sender_type == "system" else TYPES.get(str(row.message_type).lower(), TEXT),
        metadata=parse_metadata(row.metadata),
    )


def parse_metadata(value: object) -> Metadata | None:
    """Parse a JSON object, also as text. Raises what `check_metadata` raises."""
    if isinstance(value, str | bytes):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise Invalid("The metadata is not JSON.") from None
    return check_metadata(value)


def parse_tags(value: object) -> str:
    """Parse a JSON list as text, or tags that commas separate, and return them as they are stored. Raises `Invalid`."""
    text = "" if is_missing(value) else str(value)
    try:
        tags = json.loads(text)
    except (ValueError, RecursionError):
        tags = None
    if not isinstance(tags, list):
        return join_tags(split_tags(text))
    return join_tags([str(tag) for tag in tags])


def parse_timestamp(value: object) -> datetime:
    """Parse ISO 8601 (UTC unless it has an offset), or seconds or milliseconds since 1970. Raises `Invalid`."""
    try:
        if isinstance(value, str) and not _is_number(value):
            moment = datetime.fromisoformat(value.strip())
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            number = float(value)
            return datetime.fromtimestamp(number / 1000 if abs(number) >= MIN_MILLISECONDS else number, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise Invalid("The timestamp is neither ISO 8601 nor seconds or milliseconds since 1970.")


def _is_number(value: str) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False
