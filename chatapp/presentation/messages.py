"""A message as the wire carries it. One partial draws it, on the first page and live."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any, overload

from flask import current_app
from jinja2.runtime import new_context
from jinja2.utils import urlize
from markupsafe import Markup, escape

from chatapp.assistant_config import current_assistants
from chatapp.presentation import resources
from chatapp.presentation.markdown import render_blocks
from chatapp.timeline import TimelineMessage
from chatapp.timeline.mentions import EVERYBODY, PATTERN
from chatapp.timeline.writer import Backlog

PARTIAL = "messages/_message.html"

BLOCK = Markup('<div class="block">{}</div>')

MAYBE_ADDRESS = re.compile(r"[.:@]\S")
"""What every address has: most messages have none, and to look for addresses takes the longest of drawing one."""

MENTION = Markup('<span class="mention" data-mention="{name}">{text}</span>')


def message_body(message: TimelineMessage) -> Markup:
    """Give the content as HTML: an assistant's Markdown drawn.

    Of everybody else's everything is escaped, addresses are made links, and whom it names is marked.
    """
    if message.sender_type == "assistant":
        return draw_blocks(render_blocks(message.content))
    return Markup("").join(_marked(message)) if message.mentions else _linked(message.content)


def draw_blocks(blocks: Iterable[Markup]) -> Markup:
    """Give the blocks of an assistant's Markdown as they stand in a message."""
    return Markup("").join(BLOCK.format(block) for block in blocks)


def find_avatar(assistant: str) -> str:
    """Give the emoji of the assistant that people see under this name, if it is still there."""
    return next((each.avatar for each in current_assistants().values() if each.display_name == assistant), "")


def _marked(message: TimelineMessage) -> Iterator[Markup]:
    names = {person.username for person in message.mentions}
    written = {match[1].lower() for match in PATTERN.finditer(message.content)}
    # More people than are written out: they are named together.
    marked = names | {EVERYBODY} if names - written else names
    end = 0
    for match in PATTERN.finditer(message.content):
        if match[1].lower() in marked:
            yield _linked(message.content[end : match.start()])
            yield MENTION.format(name=match[1].lower(), text=match[0])
            end = match.end()
    yield _linked(message.content[end:])


def _linked(text: str) -> Markup:
    if not MAYBE_ADDRESS.search(text):
        return escape(text)
    return Markup(urlize(text, rel="noopener noreferrer nofollow", target="_blank"))  # noqa: S704 - urlize escapes


def render_message(message: TimelineMessage) -> str:
    """Draw the message. The partial sees nothing of a request: it looks the same for everybody."""
    template = current_app.jinja_env.get_template(PARTIAL)
    # `render()` would copy the globals first, none of which is used, and that takes as long as the drawing.
    context = new_context(template.environment, PARTIAL, template.blocks, {"message": message}, shared=True)
    return "".join(template.root_render_func(context))


@lru_cache(maxsize=1_000)
def present_message(message: TimelineMessage) -> resources.PageMessage:
    """Give the message as `docs/protocol.md` describes it.

    Drawn once for the acknowledgement, the broadcast and whoever catches up: nobody may change what is given.
    """
    return {**present_for_others(message), "pending": message.is_pending, "html": render_message(message)}


def present_for_others(message: TimelineMessage) -> resources.Message:
    """Give the message as a program outside gets it: without what only our pages draw."""
    sender = message.sender
    return {
        "conversation": message.conversation.wire_name,
        "id": message.id,
        "seq": message.seq,
        "version": message.version,
        "sender": None if sender is None else {"id": sender.id, "username": sender.username, "name": sender.name},
        "sender_type": message.sender_type,
        "sender_name": message.sender_name,
        "message_type": message.message_type,
        "reply_to": message.reply_to,
        "state": message.state,
        "problem": message.problem,
        "content": message.content,
        "client_id": message.client_id,
        "created_at": isoformat(message.created_at),
        "edited_at": isoformat(message.edited_at),
        "deleted_at": isoformat(message.deleted_at),
        "mentions": [person.id for person in message.mentions],
        "reactions": [
            {"reaction": group.reaction, "users": [{"id": user.id, "name": user.name} for user in group.users]}
            for group in message.reactions
        ],
    }


def present_news(message: TimelineMessage) -> dict[str, Any]:
    """Give what a list of conversations need know of a new message."""
    return {
        "conversation": message.conversation.wire_name,
        "seq": message.seq,
        "sender_id": message.sender and message.sender.id,
        "mentions": [person.id for person in message.mentions],
    }


@overload
def isoformat(moment: datetime) -> str: ...


@overload
def isoformat(moment: datetime | None) -> str | None: ...


def isoformat(moment: datetime | None) -> str | None:
    """Give a moment in UTC as RFC 3339 writes it."""
    return None if moment is None else moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def present_backlog(backlog: Backlog) -> dict[str, Any]:
    """Give how much waits for the database, and since when."""
    return {"waiting": backlog.waiting, "since": isoformat(backlog.since)}
