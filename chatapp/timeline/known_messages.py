"""Messages that this process has read before: pages and the API load only those that are new or have changed.

Nothing is invalidated. Each read takes the keys of its messages from the database, in its own snapshot, and a key
identifies everything that a message shows.
"""

from collections.abc import Sequence
from functools import partial
from math import inf
from typing import Any, NamedTuple

from flask import Flask, current_app
from sqlalchemy import ColumnElement, bindparam, select
from sqlalchemy.orm import Session

from chatapp.caches import SizedCache
from chatapp.concurrency.shared_reads import SharedReads
from chatapp.conversations.refs import ConversationRef
from chatapp.models import Conversation, Installation, Message
from chatapp.storage import INTEGER, ReadStatement, opaque_parameter, read_natively
from chatapp.timeline.messages import TimelineMessage, fetch_messages_by_id

EXTENSION = "chatapp.known_messages"
"""Key of the application's cache of messages in `app.extensions`."""

READS_EXTENSION = "chatapp.known_messages.reads"
"""Key of the application's reads of messages in progress in `app.extensions`."""

MAX_CHARS = 8_000_000
"""Size of the messages that are kept, in characters."""

MESSAGE_CHARS = 1_000
"""What a message counts besides its own size: about 5,000 messages of ordinary length are kept."""

FIRST_PART_SIZE = 20
"""Messages that are loaded at first where their characters are limited: more than most who reconnect have missed."""

GROWING_STATES = {"queued", "streaming"}
"""States of answers whose content grows without an event."""

_MESSAGES, _INSTALLATION = Message.__table__, Installation.__table__


class MessageKey(NamedTuple):
    """What identifies a message with everything that it shows."""

    epoch: str
    """A restored backup may use the same ids and versions for other messages."""
    people_version: int
    """Changes with the name of a person, who may be the sender, be mentioned or have reacted."""
    id: int
    version: int


def init_known_messages(app: Flask) -> None:
    """Create the application's cache of messages, and its reads in progress."""
    app.extensions[EXTENSION] = SizedCache[MessageKey, TimelineMessage](MAX_CHARS, _size)
    app.extensions[READS_EXTENSION] = SharedReads[MessageKey, TimelineMessage](_may_share)


def _size(_key: MessageKey, message: TimelineMessage) -> int:
    return MESSAGE_CHARS + message.chars


def select_keys(
    number: ColumnElement[int], *conditions: ColumnElement[bool], is_descending: bool = False
) -> ReadStatement:
    """Return the statement that reads the keys of a conversation's first or last messages, in the order of `number`.

    Only messages are selected that fulfil the conditions.

    The parameters are `conversation_id`, `after` and `before` (exclusive bounds of `number`) and `limit`.
    """
    return ReadStatement(
        select(_INSTALLATION.c.epoch, _INSTALLATION.c.people_version, _MESSAGES.c.id, _MESSAGES.c.version)
        .select_from(_MESSAGES.join(_INSTALLATION, _INSTALLATION.c.id == 1))
        .where(
            _MESSAGES.c.conversation_id == bindparam("conversation_id"),
            number > bindparam("after"),
            number < bindparam("before"),
            *conditions,
        )
        .order_by(number.desc() if is_descending else number)
        .limit(opaque_parameter("limit", INTEGER))
    )


def fetch_known(
    session: Session, conversation: Conversation, rows: Sequence[Any], *, max_chars: float = inf
) -> list[TimelineMessage]:
    """Return the messages of the rows of a statement made by `select_keys`, in their order.

    Only those that are neither known nor being read by another caller are loaded, in the same snapshot. If the first
    messages have `max_chars` characters, the last ones may be missing; at least one more is returned than those that
    reach it.
    """
    keys = [MessageKey(*row) for row in rows]
    messages: list[TimelineMessage] = []
    size = len(keys) if max_chars == inf else FIRST_PART_SIZE
    chars = chars_before_last = 0
    while len(messages) < len(keys) and chars_before_last < max_chars:
        part = _fetch(session, conversation, keys[len(messages) : len(messages) + size])
        messages += part
        chars += sum(message.chars for message in part)
        chars_before_last = chars - part[-1].chars
        if max_chars < inf:
            # As many as are likely to suffice; at least twice as many, so that four parts load all of a catch-up.
            average = max(1, chars / len(messages))
            size = max(2 * size, 1 + int((max_chars - chars) / average))
    return messages


def _fetch(session: Session, conversation: Conversation, keys: Sequence[MessageKey]) -> list[TimelineMessage]:
    known = _current_cache()
    found = {key: message for key in keys if (message := known.get(key)) is not None}
    missing = [key for key in keys if key not in found]
    if missing:
        reads: SharedReads[MessageKey, TimelineMessage] = current_app.extensions[READS_EXTENSION]
        found |= reads.fetch(missing, partial(_load, session, conversation))
    return [found[key] for key in keys]


def _load(
    session: Session, conversation: Conversation, keys: Sequence[MessageKey]
) -> dict[MessageKey, TimelineMessage]:
    ids, ref = [key.id for key in keys], ConversationRef.of(conversation)
    messages = read_natively(session, lambda reading: fetch_messages_by_id(reading, ids, ref))
    by_id = {message.id: message for message in messages}
    loaded = {key: by_id[key.id] for key in keys}
    for key, message in loaded.items():
        add_known(key, message)
    return loaded


def _may_share(message: TimelineMessage) -> bool:
    return message.answer_state not in GROWING_STATES


def add_known(key: MessageKey, message: TimelineMessage) -> None:
    """Keep a message that was read with its key in one snapshot."""
    if _may_share(message):
        _current_cache().add(key, message)


def _current_cache() -> SizedCache[MessageKey, TimelineMessage]:
    cache: SizedCache[MessageKey, TimelineMessage] = current_app.extensions[EXTENSION]
    return cache
