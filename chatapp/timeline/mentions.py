"""Mentions: `@username` for a member of the conversation, `@all` for all members."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, func, insert, select
from sqlalchemy.orm import Session

from chatapp.conversations.kinds import ConversationColumns, MembershipColumns, kind_of
from chatapp.conversations.people import Person, make_person, name_begins_with
from chatapp.mention_names import MENTION_ALL, find_names
from chatapp.models import Conversation, Membership, Mention, User

_MENTIONS, _USERS = Mention.__table__, User.__table__

# Built once: building a statement takes as long as executing it.
_DELETE = delete(Mention).where(Mention.message_id == bindparam("message_id"))

_SELECT = (
    select(_MENTIONS.c.message_id, _USERS.c.id, _USERS.c.username, _USERS.c.name)
    .join(_USERS, _USERS.c.id == _MENTIONS.c.user_id)
    .where(_MENTIONS.c.message_id.in_(bindparam("ids", expanding=True)))
    .order_by(_USERS.c.username)
)

MAX_SUGGESTIONS = 200
"""Maximum number of people that are suggested for the beginning of a name."""


@dataclass(slots=True)
class Draft:
    """The content of a message that is to be stored, and the data that determines its mentions. Nothing changes it."""

    conversation: ConversationColumns
    membership: MembershipColumns | None
    """The sender's membership."""
    sender_id: int | None
    """None for a bot."""
    content: str

    @property
    def names(self) -> frozenset[str]:
        """The names that the content mentions, whether users have them or not."""
        return find_names(self.content)

    @property
    def is_to_all(self) -> bool:
        """Whether it mentions all members."""
        return MENTION_ALL in self.names and kind_of(self.conversation).may_mention_all(self.membership)


def resolve_mentions(session: Session, drafts: Sequence[Draft]) -> list[tuple[Person, ...]]:
    """Return for each draft the people it mentions, except its sender, ordered by username. At most two queries."""
    names_of_drafts = [draft.names for draft in drafts]
    all_names = {name for names in names_of_drafts for name in names}
    if not all_names:
        return [()] * len(drafts)
    # The properties of a draft search its content: use them once for each draft, not for each member.
    parsed = [(draft, names, draft.is_to_all) for draft, names in zip(drafts, names_of_drafts, strict=True)]
    named = _find_members(session, {draft.conversation.id for draft, names, _ in parsed if names}, all_names)
    members = _find_members(session, {draft.conversation.id for draft, _, is_to_all in parsed if is_to_all})
    return [
        tuple(
            person
            for person in (members if is_to_all else named).get(draft.conversation.id, ())
            if person.id != draft.sender_id and (is_to_all or person.username in names)
        )
        for draft, names, is_to_all in parsed
    ]


def store_mentions(session: Session, mentions: Iterable[tuple[int, int, int, bool, Person]]) -> None:
    """Insert mentions: conversation id, message id, seq, whether the message is in the room, mentioned person."""
    rows = [
        {
            "conversation_id": conversation_id,
            "message_id": message_id,
            "seq": seq,
            "is_in_room": is_in_room,
            "user_id": person.id,
        }
        for conversation_id, message_id, seq, is_in_room, person in mentions
    ]
    if rows:
        session.execute(insert(Mention), rows)


def delete_mentions(session: Session, message_id: int) -> None:
    """Delete the mentions of a message."""
    session.connection().execute(_DELETE, {"message_id": message_id})


def fetch_mentions(session: Session, message_ids: Sequence[int]) -> dict[int, tuple[Person, ...]]:
    """Return the people that each message mentions, ordered by username."""
    if not message_ids:
        return {}
    mentions: dict[int, tuple[Person, ...]] = {}
    for message_id, *person in session.execute(_SELECT, {"ids": message_ids}):
        mentions[message_id] = (*mentions.get(message_id, ()), make_person(*person))
    return mentions


def list_mentionable(session: Session, conversation: Conversation, prefix: str) -> Sequence[Person]:
    """Return members whose username, name or part of the name begins with `prefix`, ordered by name.

    There are at most `MAX_SUGGESTIONS`.
    """
    users = session.scalars(
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(
            Membership.conversation_id == conversation.id,
            User.is_active,
            name_begins_with(prefix),
        )
        .order_by(func.lower(User.name), User.id)
        .limit(MAX_SUGGESTIONS)
    )
    return [Person.of(user) for user in users]


def _find_members(
    session: Session, conversation_ids: set[int], usernames: set[str] | None = None
) -> dict[int, list[Person]]:
    if not conversation_ids:
        return {}
    query = (
        select(Membership.conversation_id, User)
        .join(User, User.id == Membership.user_id)
        .where(Membership.conversation_id.in_(conversation_ids), User.is_active)
        .order_by(User.username)
    )
    if usernames is not None:
        query = query.where(User.username.in_(usernames))
    members: dict[int, list[Person]] = {}
    for conversation_id, user in session.execute(query):
        members.setdefault(conversation_id, []).append(Person.of(user))
    return members
