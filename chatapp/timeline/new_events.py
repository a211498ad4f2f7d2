"""The events that were committed after this process' positions in many conversations, in one query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import BigInteger, and_, case, select
from sqlalchemy.orm import Session

from chatapp.conversations.refs import ConversationRef
from chatapp.models import Conversation, Installation, Message, User
from chatapp.revocations import LastRevocation, get_last_revocation
from chatapp.storage import encode_rows, parameter_rows
from chatapp.timeline.known_messages import MessageKey, add_known
from chatapp.timeline.messages import MESSAGE_COLUMNS, TimelineMessage, build_messages

EVENTS_PER_CONVERSATION = 100
"""Number of event numbers after a cursor that one query reads."""

MAX_CONVERSATIONS = 50
"""Maximum number of conversations of one query."""

_NUMBER = BigInteger()
_CURSORS = parameter_rows("cursors", id=_NUMBER, after=_NUMBER)
_CONVERSATIONS, _INSTALLATION = Conversation.__table__, Installation.__table__
_MESSAGES, _USERS = Message.__table__, User.__table__

# Restored messages are no events of their own: clients load the last page instead.
_RESET = _CONVERSATIONS.c.reset_event
_START = case((_CURSORS.c.after > _RESET, _CURSORS.c.after), else_=_RESET)
_END = _START + EVENTS_PER_CONVERSATION

_IS_NEW = and_(_MESSAGES.c.conversation_id == _CURSORS.c.id, _MESSAGES.c.version > _START, _MESSAGES.c.version <= _END)

# A conversation without new events has a row without a message.
_SELECT = (
    select(
        _INSTALLATION.c.revocations,
        _INSTALLATION.c.epoch,
        _INSTALLATION.c.people_version,
        _CURSORS.c.id.label("conversation"),
        _CONVERSATIONS.c.last_event,
        _END.label("end"),
        *MESSAGE_COLUMNS,
    )
    .select_from(
        _CURSORS.join(_CONVERSATIONS, _CONVERSATIONS.c.id == _CURSORS.c.id)
        .join(_INSTALLATION, _INSTALLATION.c.id == 1)
        .outerjoin(_MESSAGES, _IS_NEW)
        .outerjoin(_USERS, _USERS.c.id == _MESSAGES.c.sender_id)
    )
    .order_by(_CURSORS.c.id, _MESSAGES.c.version)
)


@dataclass(frozen=True, slots=True)
class NewEvents:
    """Messages of one conversation that were posted or changed after a cursor, in the order of their versions."""

    messages: Sequence[TimelineMessage]
    end: int
    """The event number up to which they are complete."""
    has_more: bool


@dataclass(frozen=True, slots=True)
class NewEventsPage:
    """The new events of several conversations in one snapshot. A conversation that was removed is left out."""

    events: Mapping[ConversationRef, NewEvents]
    last_revocation: LastRevocation
    """See `chatapp.revocations`. Each revocation that was committed before one of the events is counted."""


def read_new_events(session: Session, cursors: Mapping[ConversationRef, int]) -> NewEventsPage:
    """Return the first events of conversations after a cursor in each; of at most `MAX_CONVERSATIONS`."""
    rows: Sequence[Any] = ()
    if cursors:
        parameter = encode_rows((ref.id, after) for ref, after in cursors.items())
        rows = session.connection().execute(_SELECT, {"cursors": parameter}).all()
    if not rows:
        return NewEventsPage({}, get_last_revocation(session))
    refs = {ref.id: ref for ref in cursors}
    message_rows = [row for row in rows if row.id is not None]
    messages = build_messages(session, message_rows, [refs[row.conversation] for row in message_rows])
    found = {message.id: message for message in messages}
    for row, message in zip(message_rows, messages, strict=True):
        add_known(MessageKey(row.epoch, row.people_version, row.id, row.version), message)
    events = {
        refs[conversation_id]: _create(list(group), found)
        for conversation_id, group in groupby(rows, lambda row: row.conversation)
    }
    return NewEventsPage(events, LastRevocation(rows[0].epoch, rows[0].revocations))


def _create(rows: Sequence[Any], found: Mapping[int | None, TimelineMessage]) -> NewEvents:
    last_event, end = rows[0].last_event, rows[0].end
    messages = [found[row.id] for row in rows if row.id is not None]
    return NewEvents(messages, min(end, last_event), has_more=end < last_event)
