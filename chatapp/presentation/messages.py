"""A message as the wire carries it. One partial draws it, on the first page and live."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from flask import current_app
from jinja2.utils import urlize
from markupsafe import Markup

from chatapp.timeline import TimelineMessage
from chatapp.timeline.writer import Backlog

PARTIAL = "messages/_message.html"


def message_body(content: str) -> Markup:
    """Give the content as HTML: everything escaped, addresses made links."""
    return Markup(urlize(content, rel="noopener noreferrer nofollow", target="_blank"))  # noqa: S704 - urlize escapes


def render_message(message: TimelineMessage) -> str:
    """Draw the message. The partial sees nothing of a request: it looks the same for everybody."""
    return current_app.jinja_env.get_template(PARTIAL).render(message=message)


@lru_cache(maxsize=1_000)
def present_message(message: TimelineMessage) -> Mapping[str, Any]:
    """Give the message as `docs/protocol.md` describes it.

    Drawn once for the acknowledgement, the broadcast and whoever catches up: nobody may change what is given.
    """
    sender = message.sender
    return {
        "conversation": message.conversation,
        "id": message.id,
        "seq": message.seq,
        "version": message.version,
        "sender": sender and {"id": sender.id, "username": sender.username, "name": sender.name},
        "sender_type": message.sender_type,
        "message_type": message.message_type,
        "content": message.content,
        "client_id": message.client_id,
        "created_at": isoformat(message.created_at),
        "edited_at": isoformat(message.edited_at),
        "deleted_at": isoformat(message.deleted_at),
        "pending": message.is_pending,
        "reactions": [
            {"reaction": group.reaction, "users": [{"id": user.id, "name": user.name} for user in group.users]}
            for group in message.reactions
        ],
        "html": render_message(message),
    }


def isoformat(moment: datetime | None) -> str | None:
    """Give a moment in UTC as RFC 3339 writes it."""
    return None if moment is None else moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def present_backlog(backlog: Backlog) -> dict[str, Any]:
    """Give how much waits for the database, and since when."""
    return {"waiting": backlog.waiting, "since": isoformat(backlog.since)}
