"""Messages as JSON and HTML. One template renders a message, in pages and for live events."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Any, overload

import orjson
from flask import Flask, current_app
from jinja2 import Environment
from jinja2.utils import urlize
from markupsafe import Markup, escape

from chatapp.config.assistants import EXTENSION as ASSISTANTS
from chatapp.config.assistants import Assistant
from chatapp.conversations.people import Person
from chatapp.markdown.cache import try_render_blocks
from chatapp.markdown.plain import render_plain
from chatapp.presentation import resources
from chatapp.presentation.message_cache import MessageCache, PresentedMessage
from chatapp.presentation.message_template import MessageTemplate, shows_few_emoji
from chatapp.storage import Backlog
from chatapp.timeline import TimelineMessage
from chatapp.timeline.mentions import MENTION_ALL, MENTION_PATTERN, find_names
from chatapp.timeline.versions import EarlierVersion

EXTENSION = "chatapp.message_presenter"
"""Key of the application's `MessagePresenter` in `app.extensions`."""

CACHED_AVATARS = 1_000

CACHED_BODIES = 500

MAX_MENTIONS = 100
"""Maximum number of highlighted mentions in the body of a message. The others are plain text."""

MAX_LINKS = 100
"""Maximum number of links in the body of a message that a person or a bot wrote. The others are plain text."""

AVATAR_TEMPLATE = "layout/_avatar.html"

SENDER_TEMPLATE = "messages/_sender.html"

_KINDS = {"user": "", "assistant": "assistant", "system": "bot"}

_MENTION = Markup('<span class="mention" data-mention="{name}">{text}</span>')

# Part of every text that `urlize` makes a link of. Few other texts contain it, and to find links is the slowest part of
# rendering.
_MAY_BE_LINK = re.compile(
    r"(?:https?://|www\.)[\w%\[-]"
    r"|(?<=\S)@\w[\w.-]*\.\w"
    r"|\.(?:com|net|int|edu|gov|org|info|mil)(?![^\s:/?#)>.,])",
    re.IGNORECASE,
)

# Part of each of those parts. A pattern that begins with a fixed character is searched much faster.
_LINK_HINT = re.compile(r"\.[\w%\[-]")

_WORD = re.compile(r"\S+")

# Jinja2 looks for the end of such a run from each of its characters: 2 s for 10,000 of them. No URL has so many.
_LONG_PUNCTUATION = re.compile(r"[)>.,]{50}")


def render_body(message: TimelineMessage) -> Markup:
    """Render the content: Markdown for an answer, otherwise escaped text with links and mentions.

    An answer that cannot be rendered now is shown as it is written.
    """
    body = _try_render_body(message)
    return _render_plain_body(message) if body is None else body


def _try_render_body(message: TimelineMessage) -> Markup | None:
    """Render the content. Return None for an answer that cannot be rendered now."""
    if message.sender_type == "assistant":
        blocks = try_render_blocks(message.content)
        return None if blocks is None else render_answer_blocks(blocks)
    if message.mentions:
        return render_text(message.content, frozenset(person.username for person in message.mentions))
    # Most messages have nothing to find, and would only displace others from the cache.
    return render_text(message.content) if _may_have_link(message.content) else escape(message.content)


def _render_plain_body(message: TimelineMessage) -> Markup:
    return render_answer_blocks([render_plain(message.content)])


def render_answer_blocks(blocks: Iterable[Markup]) -> Markup:
    """Render blocks of Markdown as they appear in the body of an answer."""
    # `Markup.format` takes ten times as long, and a text has up to 5,000 blocks.
    return Markup("".join(f'<div class="block">{block}</div>' for block in blocks))  # noqa: S704 - blocks are HTML


@lru_cache(CACHED_BODIES)
def render_text(content: str, mentioned: frozenset[str] = frozenset()) -> Markup:
    """Render a text with links and mentions of these usernames. Pages and events share the cache."""
    return Markup("").join(_render_parts(content, mentioned))


def _render_parts(content: str, mentioned: frozenset[str]) -> Iterator[Markup]:
    links_left = MAX_LINKS
    end = 0
    for match in islice(_find_mentions(content, mentioned), MAX_MENTIONS):
        text, links_left = _render_links(content[end : match.start()], links_left)
        yield text
        yield _MENTION.format(name=match[1].lower(), text=match[0])
        end = match.end()
    yield _render_links(content[end:], links_left)[0]


def _may_have_link(text: str) -> bool:
    return ("://" in text or _LINK_HINT.search(text) is not None) and _MAY_BE_LINK.search(text) is not None


def _find_mentions(content: str, mentioned: frozenset[str]) -> Iterator[re.Match[str]]:
    if not mentioned:
        return iter(())
    # Users who are not named in the content were mentioned by “@all”.
    highlighted = mentioned | {MENTION_ALL} if mentioned - find_names(content) else mentioned
    return (match for match in MENTION_PATTERN.finditer(content) if match[1].lower() in highlighted)


def _render_links(text: str, limit: int) -> tuple[Markup, int]:
    """Escape plain text, make links of its first URLs and e-mail addresses, and return how many more may follow.

    Whatever looks like a link counts, so that the time is bounded as well.
    """
    if limit == 0 or not _may_have_link(text) or _LONG_PUNCTUATION.search(text):
        return escape(text), limit
    words = (word for word in _WORD.finditer(text) if _MAY_BE_LINK.search(word[0]))
    parts: list[Markup] = []
    end = 0
    for word in islice(words, limit):
        link = urlize(word[0], rel="noopener noreferrer nofollow", target="_blank")
        parts += escape(text[end : word.start()]), Markup(link)  # noqa: S704 - urlize escapes
        end = word.end()
        limit -= 1
    return Markup("").join([*parts, escape(text[end:])]), limit


def present_mentioned(message: TimelineMessage) -> str:
    """Return whom the message's HTML mentions: ids, of which there are at most `MAX_MENTIONS`, or “all”."""
    usernames = {person.username for person in message.mentions}
    if usernames - find_names(message.content):
        return MENTION_ALL
    return " ".join(str(person.id) for person in message.mentions[:MAX_MENTIONS])


class MessagePresenter:
    """Presents the messages of one application, whose assistants determine avatars.

    It works without an application context, which would take as long as half of the rendering.
    """

    def __init__(self, environment: Environment, assistants: Mapping[str, Assistant]) -> None:
        self._environment = environment
        self._assistants = assistants
        self.cache = MessageCache()
        """Pages and events share it."""
        self._template = MessageTemplate(
            environment, render_avatar=self.render_avatar, render_sender=self.render_sender
        )
        self._render_person_cached = lru_cache(CACHED_AVATARS)(self._render_person)
        self._render_sender_cached = lru_cache(CACHED_AVATARS)(self._render_sender)

    def present(self, message: TimelineMessage) -> PresentedMessage:
        """Return the message as events carry it and as pages show it."""
        presented = self.cache.get(message)
        if presented is None:
            body = _try_render_body(message)
            if body is None:
                # Not cached: it is rendered when there is time.
                return self._present(message, _render_plain_body(message))
            presented = self._present(message, body)
            self.cache.add(message, presented)
        return presented

    def render(self, message: TimelineMessage) -> Markup:
        """Return the message as pages show it."""
        return self.present(message).html

    def render_avatar(self, message: TimelineMessage) -> Markup:
        """Render the avatar of the message's sender."""
        if message.answer_state is None:
            return self._render_person_cached(message.sender, message.sender_name)
        emoji = (each.avatar for each in self._assistants.values() if each.display_name == message.sender_name)
        # An assistant without an emoji, or one that is no longer configured, has the default icon.
        avatar: Markup = self._avatars.assistant_avatar(next(emoji, ""))
        return avatar

    def render_sender(self, message: TimelineMessage, *, is_linked: bool = True) -> Markup:
        """Render the sender's name with what nobody can choose: the username, or a mark of a bot or an assistant.

        A notice has a mark too, as has what the author of a template has written for an assistant.

        With `is_linked` a name links to the user's profile.
        """
        kind = "notice" if message.is_notice else _KINDS[message.sender_type]
        if message.is_from_template:
            kind = "template"
        name = message.sender.name if message.sender else (message.sender_name or "Former member")
        return self._render_sender_cached(message.sender, name, kind, is_linked)

    def _present(self, message: TimelineMessage, body: Markup) -> PresentedMessage:
        data = {**present_message_data(message), "pending": message.is_pending}
        return PresentedMessage(orjson.dumps(data), self._template.render(message, body))

    def _render_person(self, person: Person | None, bot_name: str | None) -> Markup:
        avatar: Markup = self._avatars.avatar(person, bot_name)
        return avatar

    def _render_sender(self, person: Person | None, name: str, kind: str, is_linked: bool) -> Markup:  # noqa: FBT001 - the cache is faster without keywords
        library: Any = self._environment.get_template(SENDER_TEMPLATE).module
        sender: Markup = library.sender(person, name, kind, is_linked)
        return sender

    @property
    def _avatars(self) -> Any:
        """The macros of the template of avatars."""
        return self._environment.get_template(AVATAR_TEMPLATE).module


def init_message_presenter(app: Flask) -> None:
    """Create the presenter of the application, whose templates render avatars with it."""
    app.extensions[EXTENSION] = presenter = MessagePresenter(app.jinja_env, app.extensions[ASSISTANTS])
    app.jinja_env.filters["message_html"] = presenter.render
    app.jinja_env.filters["is_few_emoji"] = shows_few_emoji
    app.jinja_env.filters["message_sender"] = presenter.render_sender


def get_message_presenter(app: Flask) -> MessagePresenter:
    """Return the presenter of an application."""
    presenter: MessagePresenter = app.extensions[EXTENSION]
    return presenter


def present_message(message: TimelineMessage) -> PresentedMessage:
    """Return the message as the current application presents it: see `MessagePresenter.present`."""
    presenter: MessagePresenter = current_app.extensions[EXTENSION]
    return presenter.present(message)


def present_message_data(message: TimelineMessage) -> resources.Message:
    """Return the message as the API and webhooks carry it: without the HTML for chatapp's own pages."""
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
        "metadata": message.metadata,
        "reply_to": message.reply_to,
        "state": message.answer_state,
        "problem": message.answer_problem,
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


def present_versions(versions: Iterable[EarlierVersion]) -> list[resources.MessageVersion]:
    """Return earlier versions of a message."""
    return [
        {"version": each.version, "content": each.content, "written_at": isoformat(each.written_at)}
        for each in versions
    ]


def present_news(message: TimelineMessage) -> dict[str, Any]:
    """Return the part of a new message that updates a list of conversations."""
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
    """Return a UTC time in the format of RFC 3339."""
    return None if moment is None else moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def present_backlog(backlog: Backlog) -> dict[str, Any]:
    """Return the number of pending messages, and the time since which the database cannot commit."""
    return {"waiting": backlog.waiting, "since": isoformat(backlog.since)}
