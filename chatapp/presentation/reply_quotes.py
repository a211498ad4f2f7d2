"""Quotes of the messages that others reply to.

A rendered message is cached, and names only the number of the message that it quotes. Each page fills in the quotes, so
that they are always what the original is now; `static/js/reply_quotes.js` does so in messages that arrive later.
"""

from typing import TypedDict

from markupsafe import Markup, escape

from chatapp.presentation.quotes import quote_message
from chatapp.timeline import TimelineMessage
from chatapp.timeline.references import REFERENCE_TEXT

DELETED_TEXT = "Deleted message"


class Quote(TypedDict):
    """What a page needs to show a quote."""

    seq: int
    version: int
    sender: str
    text: str | None
    """None if the message was deleted."""


def fill_quote(html: str, seq: int, original: TimelineMessage | None) -> str:
    """Return the HTML of a message that quotes the message `seq`, with the quote; unchanged if that is unknown."""
    if original is None:
        return html
    mark = f'data-quote="{seq}">'
    # Not the method of `Markup`, which would escape the arguments. Nobody can write the mark: text is escaped.
    return str.replace(
        html,
        f"{mark}{REFERENCE_TEXT}</a>",
        f'{mark[:-1]} data-quote-version="{original.version}">{render_quote(original)}</a>',
        1,
    )


def render_quote(original: TimelineMessage | None) -> Markup:
    """Return the HTML of a quote: the sender's name and a line of text, or that the message was deleted."""
    if original is None or original.deleted_at is not None:
        return Markup('<span class="reply-quote-text">%s</span>') % DELETED_TEXT
    return Markup(
        '<span class="sr-only">In reply to</span> <bdi class="reply-quote-sender">%s</bdi> '
        '<span class="reply-quote-text" dir="auto">%s</span>'
    ) % (escape(original.shown_name), quote_message(original))


def present_quote(original: TimelineMessage) -> Quote:
    """Return the quote of a message."""
    is_deleted = original.deleted_at is not None
    return {
        "seq": original.seq or 0,
        "version": original.version or 0,
        "sender": original.shown_name,
        "text": None if is_deleted else quote_message(original),
    }
