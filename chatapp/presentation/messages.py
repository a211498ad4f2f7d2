"""Messages as JSON and HTML. One template renders a message, in pages and for live events."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, overload

import orjson
from flask import Flask, current_app
from jinja2 import Environment
from markupsafe import Markup, escape

from chatapp.config.assistants import EXTENSION as ASSISTANTS
from chatapp.config.assistants import Assistant
from chatapp.conversations.people import Person
from chatapp.conversations.signals import AssistantPicture, assistant_pictures_changed
from chatapp.custom_emoji.queries import EmojiImage
from chatapp.custom_emoji.signals import custom_emoji_changed
from chatapp.files.attached import AttachedFile
from chatapp.markdown.cache import try_render_blocks
from chatapp.markdown.emoji_names import CUSTOM_EMOJI_NAME, mark_custom_emoji, replace_custom_emoji
from chatapp.markdown.links import may_have_link
from chatapp.markdown.marks import MAX_MENTIONS, Marks
from chatapp.markdown.plain import render_plain
from chatapp.markdown.syntax import may_be_markdown
from chatapp.mention_names import MENTION_ALL, find_names
from chatapp.presentation import resources
from chatapp.presentation.avatars import conversation_avatar_path, person_avatar_path
from chatapp.presentation.emoji import is_few_emoji, render_emoji
from chatapp.presentation.files import list_shown
from chatapp.presentation.link_previews import list_previews, present_picture
from chatapp.presentation.message_cache import MessageCache, PresentedMessage
from chatapp.presentation.message_template import Body, MessageTemplate
from chatapp.signals import EXTENSION as SIGNALS
from chatapp.signals import Signals
from chatapp.storage import Backlog
from chatapp.timeline import TimelineMessage
from chatapp.timeline.content import ACTION
from chatapp.timeline.link_previews import PagePreview
from chatapp.timeline.references import file_path
from chatapp.timeline.threads import ThreadSummary
from chatapp.timeline.versions import EarlierVersion

EXTENSION = "chatapp.message_presenter"
"""Key of the application's `MessagePresenter` in `app.extensions`."""

CACHED_AVATARS = 1_000

CACHED_BODIES = 500

NOBODY: frozenset[str] = frozenset()

AVATAR_TEMPLATE = "layout/_avatar.html"

SENDER_TEMPLATE = "messages/_sender.html"

_KINDS = {"user": "", "assistant": "assistant", "system": "bot"}

_ACTION_HTML = Markup('<div class="action"><span class="action-sender">{name}</span> {text}</div>')


def render_body(message: TimelineMessage, emoji: Mapping[str, str] | None = None) -> Body:
    """Render the content, with these images of custom emoji by name. Without them it shows the names."""
    if message.content.startswith(ACTION) and message.sender_type == "user":
        return _render_action(message, emoji)
    return _render_content(message, emoji)


def _render_action(message: TimelineMessage, emoji: Mapping[str, str] | None) -> Body:
    """Render what the sender does, after their name. It counts as formatted: an edit begins with what was written."""
    body = _render_content(replace(message, content=message.content.removeprefix(ACTION)), emoji)
    html = _ACTION_HTML.format(name=message.shown_name, text=body.html)
    return Body(html, is_formatted=True, is_final=body.is_final)


def _render_content(message: TimelineMessage, emoji: Mapping[str, str] | None) -> Body:
    """Render text or Markdown. Most messages contain no Markdown, and do without the parser."""
    content = message.content
    if message.sender_type != "assistant" and not may_be_markdown(content):
        return Body(_render_text(message), is_formatted=False)
    # The final form of an answer replaces one that is formatted.
    is_live = message.answer_state is None
    blocks = try_render_blocks(content, _find_highlighted(message) if message.mentions else NOBODY, is_live=is_live)
    if blocks is None:
        return Body(render_answer_blocks([render_plain(content)]), is_formatted=True, is_final=False)
    return Body(render_answer_blocks(blocks, emoji), is_formatted=True)


def _render_text(message: TimelineMessage) -> Markup:
    if message.mentions:
        return render_text(message.content, _find_highlighted(message))
    # Most messages have nothing to find, and would only displace others from the cache.
    return render_text(message.content) if may_have_link(message.content) else escape(message.content)


def _find_highlighted(message: TimelineMessage) -> frozenset[str]:
    """Return the names that are highlighted in the content: those of the mentioned people, and “all”.

    Users who are not named in the content were mentioned by “@all”.
    """
    mentioned = frozenset(person.username for person in message.mentions)
    named = find_names(message.content)
    return (mentioned & named) | {MENTION_ALL} if mentioned - named else mentioned


def render_answer_blocks(blocks: Iterable[str], emoji: Mapping[str, str] | None = None) -> Markup:
    """Render blocks of Markdown as they appear in the body of an answer."""
    # `Markup.format` takes ten times as long, and a text has up to 5,000 blocks.
    html = "".join(f'<div class="block">{block}</div>' for block in blocks)
    return Markup(replace_custom_emoji(html, emoji))  # noqa: S704 - blocks are HTML


@lru_cache(CACHED_BODIES)
def render_text(content: str, names: frozenset[str] = NOBODY) -> Markup:
    """Render a text without Markdown, with links and mentions of these names. Pages and events share the cache."""
    return Marks(names).render(content)


def present_mentioned(message: TimelineMessage) -> str:
    """Return the people that the message's HTML mentions: at most `MAX_MENTIONS` ids, or “all”."""
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
        self.emoji: Mapping[str, Markup] = {}
        """Images of custom emoji by name, as HTML."""
        self._reactions: Mapping[str, Markup] = {}
        self._pictures: Mapping[str, str | None] = {}
        """Paths of the pictures of assistants by their keys."""
        self._template = MessageTemplate(
            environment,
            render_avatar=self.render_avatar,
            render_sender=self.render_sender,
            shows_few_emoji=self.shows_few_emoji,
        )
        self._render_person_cached = lru_cache(CACHED_AVATARS)(self._render_person)
        self._render_sender_cached = lru_cache(CACHED_AVATARS)(self._render_sender)

    def present(self, message: TimelineMessage) -> PresentedMessage:
        """Return the message as events carry it and as pages show it."""
        cache = self.cache  # Another one once there are other emoji.
        presented = cache.get(message)
        if presented is None:
            body = render_body(message, self.emoji)
            data = {**present_message_data(message), "pending": message.is_pending}
            html = self._template.render(message, body)
            presented = PresentedMessage(orjson.dumps(data), html, body.is_final)
            if body.is_final:  # Otherwise it is rendered when there is time.
                cache.add(message, presented)
        return presented

    def render(self, message: TimelineMessage) -> Markup:
        """Return the message as pages show it."""
        return self.present(message).html

    def render_answer(self, blocks: Iterable[str]) -> Markup:
        """Render the blocks of an answer that grows."""
        return render_answer_blocks(blocks, self.emoji)

    def set_custom_emoji(self, images: Iterable[EmojiImage]) -> None:
        """Show these custom emoji from now on, also in messages that are in the cache."""
        by_name = {each.name: each for each in images}
        emoji = {name: render_emoji(each) for name, each in by_name.items()}
        if emoji != self.emoji:
            self.emoji = emoji
            self._reactions = {each.name: render_emoji(each, has_title=False) for each in by_name.values()}
            self.cache = MessageCache()

    def set_assistant_pictures(self, pictures: Iterable[AssistantPicture]) -> None:
        """Show these pictures of assistants from now on, also in messages that are in the cache."""
        paths = {
            each.assistant: conversation_avatar_path(each.conversation.wire_name, each.digest) for each in pictures
        }
        if paths != self._pictures:
            self._pictures = paths
            self.cache = MessageCache()

    def find_assistant_picture(self, assistant: Assistant) -> str | None:
        """Return the path of the picture of an assistant; None if it has none."""
        return self._pictures.get(assistant.key)

    def shows_few_emoji(self, message: TimelineMessage) -> bool:
        """Return whether a message is shown larger, because it consists of a few emoji."""
        is_shown = message.answer_state is None and message.deleted_at is None
        return is_shown and is_few_emoji(message.content, self.emoji)

    def render_text(self, text: str) -> Markup:
        """Render a text without markup, with images of custom emoji."""
        html = str(escape(text))
        if ":" in html:
            html = CUSTOM_EMOJI_NAME.sub(lambda match: mark_custom_emoji(match[0], self.emoji.get(match[1])), html)
        return Markup(html)  # noqa: S704 - the text is escaped

    def render_reaction(self, reaction: str) -> Markup:
        """Render the emoji of a reaction. A custom one that does not exist any more is its name."""
        if not CUSTOM_EMOJI_NAME.fullmatch(reaction):
            return escape(reaction)
        return Markup(mark_custom_emoji(reaction, self._reactions.get(reaction[1:-1])))  # noqa: S704 - matched

    def render_avatar(self, message: TimelineMessage) -> Markup:
        """Render the avatar of the message's sender."""
        if message.answer_state is None:
            return self._render_person_cached(message.sender, message.sender_name)
        named = (each for each in self._assistants.values() if each.display_name == message.sender_name)
        # One that is no longer configured has the default icon.
        avatar: Markup = self._avatars.assistant_avatar(next(named, None))
        return avatar

    def render_sender(self, message: TimelineMessage, *, is_linked: bool = True) -> Markup:
        """Render the sender's name with what nobody can choose: the username, or a mark of a bot or an assistant.

        A notice has a mark too, as has what the author of a template has written for an assistant.

        With `is_linked` a name links to the user's profile.
        """
        kind = "notice" if message.is_notice else _KINDS[message.sender_type]
        if message.is_from_template:
            kind = "template"
        return self._render_sender_cached(message.sender, message.shown_name, kind, is_linked)

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
    app.jinja_env.filters["avatar_path"] = person_avatar_path
    app.jinja_env.filters["assistant_picture"] = presenter.find_assistant_picture
    app.jinja_env.filters["message_html"] = presenter.render
    app.jinja_env.filters["text_with_emoji"] = presenter.render_text
    app.jinja_env.filters["is_few_emoji"] = presenter.shows_few_emoji
    app.jinja_env.filters["reaction_html"] = presenter.render_reaction
    app.jinja_env.filters["emoji_image"] = render_emoji
    app.jinja_env.filters["shown_files"] = list_shown
    app.jinja_env.filters["shown_previews"] = list_previews
    app.jinja_env.filters["message_sender"] = presenter.render_sender
    signals: Signals = app.extensions[SIGNALS]
    signals.connect(custom_emoji_changed, presenter.set_custom_emoji)
    signals.connect(assistant_pictures_changed, presenter.set_assistant_pictures)


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
    data: resources.Message = {
        "conversation": message.conversation.wire_name,
        "id": message.id,
        "seq": message.seq,
        "version": message.version,
        "sender": None if sender is None else present_person(sender),
        "sender_type": message.sender_type,
        "sender_name": message.sender_name,
        "message_type": message.message_type,
        "metadata": message.metadata,
        "reply_to": message.reply_to,
        "thread": message.thread_root,
        "in_room": message.is_in_room,
        "replies": None if message.thread is None else _present_replies(message.thread),
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
        "pinned": message.is_pinned,
    }
    if message.files:
        data["files"] = [
            present_file(
                file,
                None if message.is_pending else file_path(message.conversation.wire_name, file.digest, file.name),
            )
            for file in message.files
        ]
    if message.previews:
        data["previews"] = [_present_preview(each, message.conversation.wire_name) for each in message.previews]
    return data


def _present_preview(preview: PagePreview, conversation: str) -> resources.LinkPreview:
    data: resources.LinkPreview = {
        "url": preview.url,
        "title": preview.title,
        "description": preview.description,
        "site": preview.site,
    }
    if picture := present_picture(preview, conversation):
        data["picture"] = picture
    return data


def present_file(file: AttachedFile, url: str | None) -> resources.File:
    """Return a file. A file of a pending message has no URL: it cannot be requested."""
    data: resources.File = {
        "digest": file.digest,
        "name": file.name,
        "type": file.media_type,
        "kind": file.kind,
        "size": file.size,
        "width": file.width,
        "height": file.height,
        "animated": file.is_animated,
        "alt": file.alt,
        "preview": file.preview,
    }
    if url is not None:
        data["url"] = url
        if file.has_thumbnails:
            data["small_url"], data["large_url"] = f"{url}?size=small", f"{url}?size=large"
    return data


def present_person(person: Person) -> resources.Person:
    """Return a user as the API and events carry them."""
    data: resources.Person = {"id": person.id, "username": person.username, "name": person.name}
    if path := person_avatar_path(person.avatar_digest):
        data["avatar_url"] = path
    return data


def _present_replies(thread: ThreadSummary) -> resources.Replies:
    return {
        "count": thread.count,
        "last_at": isoformat(thread.last_at),
        "people": [present_person(person) for person in thread.people],
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
        "thread": message.thread_root,
        "in_room": message.is_in_room,
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
