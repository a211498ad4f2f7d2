"""The messages of a page, with what depends on the reader: local times, days, groups, the “New messages” line.

Rendered messages are cached for all readers. This module changes copies of them, as `static/js/message_decoration.js`
changes those that arrive later: the first frame that a browser shows is final. The rules are few, and the same there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from markupsafe import Markup, escape

from chatapp.mention_names import MENTION_ALL
from chatapp.presentation.messages import present_mentioned, present_message
from chatapp.presentation.reader_clock import ReaderClock, format_day
from chatapp.presentation.reply_quotes import fill_quote
from chatapp.timeline import TimelineMessage

MAX_PAUSE = timedelta(minutes=5)
"""A message later than this after the previous one begins a new group."""

_START = '<li class="message'
_TIME_END = "</time>"
_CLOCK_CHARS = len("00:00")

_NEVER = datetime.min.replace(tzinfo=UTC)

# The button opens `conversations/_reading_menu.html`, also without JavaScript.
_DAY = '<li class="date-separator"><button type="button" popovertarget="date-menu">%s</button></li>'
_NEW = '<li class="unread-divider" id="unread">New messages</li>'


_DELETED = '<div class="message-body">This message was deleted.</div>'

NO_FORMS: Mapping[int, str] = {}


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a list of messages, when, and how far they have read it."""

    id: int
    clock: ReaderClock
    today: date
    last_read_seq: int | None = None
    """None where the server keeps no read state."""


def render_messages(
    messages: Sequence[TimelineMessage],
    reader: Reader,
    *,
    has_older: bool,
    quoted: Sequence[TimelineMessage] = (),
    undo_forms: Mapping[int, str] = NO_FORMS,
) -> Markup:
    """Return the HTML of consecutive messages as one reader sees them. They quote each other, and those in `quoted`.

    `undo_forms` are the forms with which the reader can undo deletions, by the number of the message.
    """
    parts = _list_parts(messages, reader, has_older=has_older, quoted=quoted, undo_forms=undo_forms)
    return Markup("".join(parts))  # noqa: S704 - templates have escaped it


def _list_parts(
    messages: Sequence[TimelineMessage],
    reader: Reader,
    *,
    has_older: bool,
    quoted: Sequence[TimelineMessage],
    undo_forms: Mapping[int, str],
) -> list[str]:
    originals: dict[int | None, TimelineMessage] = {}
    describe = reader.clock.describe
    first_unread = find_first_unread(messages, reader, has_older=has_older)
    parts: list[str] = []
    previous_day, previous_sender, previous_time = None, 0, _NEVER
    for message in messages:
        time = message.created_at
        day, clock = describe(time)
        person = message.sender
        sender = 0 if person is None or message.is_notice else person.id
        is_continued = False
        if day != previous_day:
            parts.append(_DAY % format_day(day, reader.today))
        else:
            is_continued = continues_group(previous_sender, previous_time, sender, time)
        if message is first_unread:
            parts.append(_NEW)
            is_continued = False
        previous_day, previous_sender, previous_time = day, sender, time
        html = _mark(message, reader.id) if message.mentions or message.reactions else present_message(message).html
        if message.quoted_seq is not None:
            originals = originals or {each.seq: each for each in (*quoted, *messages)}
            html = fill_quote(html, message.quoted_seq, originals.get(message.quoted_seq))
        if message.seq is not None and message.seq in undo_forms:
            html = str.replace(html, _DELETED, f"{_DELETED}{undo_forms[message.seq]}", 1)
        time_end = html.index(_TIME_END)
        # Slices of `str`: those of `Markup` take several times as long.
        parts += (
            _START,
            " is-continued" if is_continued else "",
            " is-own" if person is not None and person.id == reader.id else "",
            str.__getitem__(html, slice(len(_START), time_end - _CLOCK_CHARS)),
            clock,
            str.__getitem__(html, slice(time_end, None)),
        )
    return parts


def continues_group(previous_sender: int, previous_time: datetime, sender: int, time: datetime) -> bool:
    """Return whether a message continues the group of the previous one of the same day. Bots have the id 0."""
    return sender == previous_sender != 0 and time - previous_time < MAX_PAUSE


def find_first_unread(
    messages: Sequence[TimelineMessage], reader: Reader, *, has_older: bool
) -> TimelineMessage | None:
    """Return the first unread message of others, unless one above these messages may be unread, too."""
    last_read = reader.last_read_seq
    if last_read is None or not messages:
        return None
    oldest = messages[0].seq
    if has_older and oldest is not None and oldest > last_read + 1:
        return None
    for message in messages:
        if message.seq is not None and message.seq > last_read and not _is_own(message, reader.id):
            return message
    return None


def _mark(message: TimelineMessage, viewer_id: int) -> str:
    """Return the HTML with marks of what concerns the viewer: a mention, and reactions of their own."""
    html: str = present_message(message).html
    if message.mentions and _mentions(message, viewer_id):
        html = f"{_START} mentions-me{html[len(_START) :]}"
    for group in message.reactions:
        if any(user.id == viewer_id for user in group.users):
            button = f'data-reaction="{escape(group.reaction)}"'
            # Not the method of `Markup`, which would escape the arguments.
            html = str.replace(html, button, f'{button} aria-pressed="true"')
    return html


def _mentions(message: TimelineMessage, viewer_id: int) -> bool:
    mentioned = present_mentioned(message)
    return not _is_own(message, viewer_id) if mentioned == MENTION_ALL else str(viewer_id) in mentioned.split(" ")


def _is_own(message: TimelineMessage, viewer_id: int) -> bool:
    return message.sender is not None and message.sender.id == viewer_id
