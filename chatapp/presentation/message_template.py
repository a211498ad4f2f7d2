"""The HTML of a message. One template renders it, for most messages only once for each sender."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from jinja2 import Environment
from jinja2.runtime import new_context
from markupsafe import Markup, escape

from chatapp.conversations.people import Person
from chatapp.conversations.refs import GENERAL
from chatapp.timeline import TimelineMessage
from chatapp.timeline.content import TEXT

TEMPLATE = "messages/_message.html"

CACHED_FRAMES = 1_000

MAX_CHARS = 2_000
"""Maximum length of a message that is not folded. The server decides: the first frame that a browser shows is final."""

MAX_LINES = 25
"""Maximum number of lines of a message that is not folded."""


class Body(NamedTuple):
    """The content of a message as HTML."""

    html: Markup
    is_formatted: bool
    """Whether it is Markdown, and not only text with links and mentions."""
    is_final: bool = True
    """False for Markdown that is shown as it is written until there is time to render it."""


_SLOT = re.compile("\0([a-z_]+)\0")
"""Where a frame has a value. Neither names nor templates contain NUL."""

Render = Callable[[TimelineMessage], Markup]


class MessageTemplate:
    """Renders messages, with functions that render the avatar and the name of a sender.

    Plain messages of one sender differ in a few values only. Their frame, the HTML around these values, is rendered
    once; to fill it in takes a fourth of the time.
    """

    def __init__(
        self,
        environment: Environment,
        *,
        render_avatar: Render,
        render_sender: Render,
        shows_few_emoji: Callable[[TimelineMessage], bool],
    ) -> None:
        self._environment = environment
        self._shows_few_emoji = shows_few_emoji
        self._render_avatar = render_avatar
        self._render_sender = render_sender
        self._find_frame = lru_cache(CACHED_FRAMES)(self._render_frame)

    def render(self, message: TimelineMessage, body: Body) -> Markup:
        """Return the HTML of a message, given that of its content."""
        values = _list_values(message, body)
        if message.sender is not None and _is_plain(message) and not self._shows_few_emoji(message):
            frame = self._find_frame(message.sender, body.is_formatted)
            return Markup(frame % values)  # noqa: S704 - the values are escaped
        return self._render(message, values, is_formatted=body.is_formatted)

    def render_without_frame(self, message: TimelineMessage, body: Body) -> Markup:
        """Return the same as `render`, from the template itself."""
        return self._render(message, _list_values(message, body), is_formatted=body.is_formatted)

    def _render_frame(self, sender: Person, is_formatted: bool) -> str:  # noqa: FBT001 - the cache is faster without keywords
        """Return the frame of the plain messages of a user, as a format for the operator `%`."""
        message = TimelineMessage(
            conversation=GENERAL, id=0, seq=0, version=0, sender=sender, content="", created_at=datetime.now(UTC)
        )
        values = _list_values(message, Body(Markup(), is_formatted=is_formatted))
        slots = {name: Markup(f"\0{name}\0") for name in values}  # noqa: S704 - a constant
        html = self._render(message, slots, is_formatted=is_formatted)
        return _SLOT.sub(r"%(\1)s", html.replace("%", "%%"))

    def _render(self, message: TimelineMessage, values: Mapping[str, Any], *, is_formatted: bool) -> Markup:
        template = self._environment.get_template(TEMPLATE)
        variables = {
            "message": message,
            "avatar": self._render_avatar(message),
            "sender": self._render_sender(message),
            "is_formatted": is_formatted,
            "is_long": _is_long(message),
            **values,
        }
        # `render()` first copies the globals, which this template does not use: that would double the time.
        context = new_context(template.environment, TEMPLATE, template.blocks, variables, shared=True)
        return Markup("".join(template.root_render_func(context)))  # noqa: S704 - the template escapes


def _list_values(message: TimelineMessage, body: Body) -> dict[str, Any]:
    """Return the variables of the template in which plain messages of one sender differ: numbers and HTML."""
    created = message.created_at.isoformat()
    values = {
        "id": message.id,
        "seq": message.seq,
        "version": message.version,
        "client_id": escape(message.client_id or ""),
        "created": created,
        "clock": created[11:16],
        "body": body.html,
    }
    if body.is_formatted:
        values["source"] = escape(message.content)
    return values


def _is_plain(message: TimelineMessage) -> bool:
    """Return whether a message of a user shows nothing but its content, its sender and its time."""
    return (
        message.seq is not None
        and message.sender_type == "user"
        and message.message_type == TEXT
        and message.answer_state is None
        and message.edited_at is None
        and message.deleted_at is None
        and message.reply_to is None
        and not message.is_pending
        and message.thread is None
        and message.thread_root is None
        and not message.mentions
        and not message.reactions
        and not message.is_pinned
        and not message.files
        and not message.previews
        and not _is_long(message)
    )


def _is_long(message: TimelineMessage) -> bool:
    """Return whether a message is folded until somebody wants to see it all. Answers are what somebody waits for."""
    content = message.content
    return message.answer_state is None and (len(content) > MAX_CHARS or content.count("\n") >= MAX_LINES)
