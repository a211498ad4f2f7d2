"""Conversations, messages and errors as HTML and JSON."""

from collections.abc import Collection, Sequence
from typing import Any

from flask import Flask, current_app
from flask_login import current_user
from markupsafe import Markup

from chatapp.config import current_settings
from chatapp.extensions import db
from chatapp.identity import current_person
from chatapp.presentation.dates import format_date, format_date_time
from chatapp.presentation.fragments import init_fragments
from chatapp.presentation.message_list import Reader, render_messages
from chatapp.presentation.messages import init_message_presenter, present_mentioned, render_body
from chatapp.presentation.quotes import quote_message, shorten_quote
from chatapp.presentation.reader_clock import current_clock
from chatapp.presentation.reply_quotes import render_quote
from chatapp.presentation.scheduled import list_scheduled_files
from chatapp.presentation.sidebar import adapt_to_request, current_sidebars, init_sidebars
from chatapp.storage import DATABASE_ERRORS
from chatapp.timeline import TimelineMessage
from chatapp.timeline.deletions import find_undoable

UNDO_TEMPLATE = "messages/_undo.html"


def init_presentation(app: Flask) -> None:
    """Register the filters and variables that templates use, and create the cache of rendered messages."""
    init_message_presenter(app)
    init_fragments(app)
    init_sidebars(app)
    app.jinja_env.filters |= {
        "message_body": render_body,
        "message_mentioned": present_mentioned,
        "messages_html": _render_messages,
        "reply_quote": render_quote,
        "scheduled_files": list_scheduled_files,
        "quoted": shorten_quote,
        "quoted_message": quote_message,
        "date": format_date,
        "date_time": format_date_time,
        "reader_time": lambda moment: current_clock().format_moment(moment),
    }
    app.context_processor(_shared)


def _render_messages(
    messages: Sequence[TimelineMessage],
    has_older: bool,  # noqa: FBT001 - a filter of templates
    last_read_seq: int | None,
    quoted: Sequence[TimelineMessage] = (),
) -> Markup:
    """Render messages for the reader who has sent the current request."""
    clock = current_clock()
    reader = Reader(current_person().id, clock, clock.today(), last_read_seq)
    undo_forms = {seq: _render_undo_form(messages[0], seq) for seq in _find_undoable(reader.id, messages)}
    return render_messages(messages, reader, has_older=has_older, quoted=quoted, undo_forms=undo_forms)


def _render_undo_form(message: TimelineMessage, seq: int) -> str:
    shared: dict[str, Any] = dict(current_app.jinja_env.globals)
    form: str = shared["uncached_fragment"](
        UNDO_TEMPLATE, "undo_form", message.conversation.wire_name, seq, shared["csrf_token"]()
    )
    return form


def _find_undoable(user_id: int, messages: Sequence[TimelineMessage]) -> Collection[int]:
    try:
        return find_undoable(db.session(), user_id, messages)
    except DATABASE_ERRORS:  # The page comes from memory.
        return ()


def _shared() -> dict[str, Any]:
    # Functions, so that the error page does not need the database.
    return {
        "settings": current_settings(),
        "current_user": current_user,
        "sidebar": lambda: adapt_to_request(current_sidebars().render(current_person())),
    }
