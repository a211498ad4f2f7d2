"""What each user sets for each conversation: of which messages they are notified, whether it is muted or a favorite."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Self, TypedDict

from sqlalchemy import and_, bindparam, select
from sqlalchemy.orm import Session

from chatapp.actors import Actor
from chatapp.conversations.kinds import kind_of
from chatapp.conversations.policy import authorize_reading
from chatapp.conversations.queries import find_access_of
from chatapp.conversations.refs import ConversationRef
from chatapp.conversations.service import lock_people
from chatapp.conversations.signals import sidebar_changed
from chatapp.errors import Invalid
from chatapp.models import Conversation, ConversationPreference
from chatapp.storage import Transaction, write

NOTIFICATION_LEVELS = ("all", "mentions", "nothing")

_TABLE = ConversationPreference.__table__

PREFERENCE_COLUMNS = (_TABLE.c.notification_level, _TABLE.c.is_muted, _TABLE.c.is_favorite)
"""The columns of `Preferences.of`."""

JOIN_PREFERENCES = and_(
    _TABLE.c.conversation_id == Conversation.__table__.c.id, _TABLE.c.user_id == bindparam("user_id")
)
"""The condition that joins what the user with a `user_id` has set for a conversation."""

_NOT_SET = (None, None, None)


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a user has set for a conversation, or its defaults."""

    notification_level: str = "mentions"
    """One of `NOTIFICATION_LEVELS`: of which new messages the user is notified."""
    is_muted: bool = False
    """Whether its unread messages are not pointed out, and the user is notified of none."""
    is_favorite: bool = False

    @classmethod
    def of(cls, conversation: Conversation, columns: Iterable[Any]) -> Self:
        """Create the value from `PREFERENCE_COLUMNS`, which are None if there is no row."""
        level, is_muted, is_favorite = columns
        return cls(level or kind_of(conversation).notification_level, bool(is_muted), bool(is_favorite))


class PreferenceChanges(TypedDict, total=False):
    """What changes, not validated."""

    notification_level: str
    is_muted: bool
    is_favorite: bool


def update_preferences(ref: ConversationRef, actor: Actor, changes: PreferenceChanges) -> Preferences:
    """Change what the actor has set for a conversation, and return all that is set then.

    Raises what `authorize_reading` raises, `SignedOut`, and `Invalid` for another level.
    """
    if changes.get("notification_level", "all") not in NOTIFICATION_LEVELS:
        raise Invalid("The notification level is “all”, “mentions” or “nothing”.")

    def change(transaction: Transaction) -> Preferences:
        session = transaction.session
        conversation = authorize_reading(*find_access_of(session, ref, actor))
        # Two processes cannot insert the row at the same time.
        session.execute(lock_people([actor.user_id]))
        row = session.get(ConversationPreference, (actor.user_id, conversation.id))
        if row is None:
            row = ConversationPreference(user_id=actor.user_id, conversation_id=conversation.id)
            row.is_muted = row.is_favorite = False
        before = _of_row(conversation, row)
        for name, value in changes.items():
            setattr(row, name, value)
        after = _of_row(conversation, row)
        if after != before:
            session.add(row)
            transaction.send_on_commit(sidebar_changed, [actor.user_id])
        return after

    return write(change)


def list_preferences(session: Session, user_id: int, conversations: Collection[Conversation]) -> dict[int, Preferences]:
    """Return what a user has set for these conversations, by their ids."""
    query = select(_TABLE.c.conversation_id, *PREFERENCE_COLUMNS).where(
        _TABLE.c.user_id == user_id, _TABLE.c.conversation_id.in_([conversation.id for conversation in conversations])
    )
    rows = {conversation_id: columns for conversation_id, *columns in session.execute(query)}
    return {
        conversation.id: Preferences.of(conversation, rows.get(conversation.id, _NOT_SET))
        for conversation in conversations
    }


def _of_row(conversation: Conversation, row: ConversationPreference) -> Preferences:
    return Preferences.of(conversation, (row.notification_level, row.is_muted, row.is_favorite))
