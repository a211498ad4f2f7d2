"""Mentions: `@username` for a member of the conversation, `@all` for all members."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, bindparam, delete, func, insert, select
from sqlalchemy.orm import Session

from chatapp.conversations.kinds import ConversationColumns, MembershipColumns, kind_of
from chatapp.conversations.people import PERSON_COLUMNS, Person, make_person, name_begins_with
from chatapp.mention_names import MENTION_ALL, find_names
from chatapp.models import Conversation, Membership, Mention, User
from chatapp.storage import INTEGER, TEXT, BulkStatement, ReadStatement, encode_rows, parameter_rows

_MENTIONS, _USERS, _MEMBERS = Mention.__table__, User.__table__, Membership.__table__

# Built once: building a statement takes as long as executing it.
_NAMES = parameter_rows("names", conversation_id=INTEGER, username=TEXT)
_FIND_NAMED = ReadStatement(
    select(_MEMBERS.c.conversation_id, *PERSON_COLUMNS)
    .select_from(_NAMES)
    .join(_USERS, _USERS.c.username == _NAMES.c.username)
    .join(_MEMBERS, and_(_MEMBERS.c.conversation_id == _NAMES.c.conversation_id, _MEMBERS.c.user_id == _USERS.c.id))
    .where(_USERS.c.is_active)
    .order_by(_USERS.c.username)
)

_FIND_MEMBERS = ReadStatement(
    select(*PERSON_COLUMNS)
    .join(_MEMBERS, _MEMBERS.c.user_id == _USERS.c.id)
    .where(_MEMBERS.c.conversation_id == bindparam("conversation_id"), _USERS.c.is_active)
    .order_by(_USERS.c.username)
)

_INSERT = BulkStatement(insert(Mention), ("message_id", "user_id", "conversation_id", "seq", "is_in_room"))

_DELETE = delete(Mention).where(Mention.message_id == bindparam("message_id"))

_SELECT = (
    select(_MENTIONS.c.message_id, *PERSON_COLUMNS)
    .join(_USERS, _USERS.c.id == _MENTIONS.c.user_id)
    .where(_MENTIONS.c.message_id.in_(bindparam("ids", expanding=True)))
    .order_by(_USERS.c.username)
)

MAX_SUGGESTIONS = 200
"""Maximum number of people that are suggested for the beginning of a name."""


@dataclass(slots=True)
class MentionSource:
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


def resolve_mentions(session: Session, sources: Sequence[MentionSource]) -> list[tuple[Person, ...]]:
    """Return for each source the people it mentions, except its sender, ordered by username.

    One query for all names, and one for each conversation of which all members are mentioned.
    """
    # The properties of a source search its content: use them once for each source.
    parsed = [(source, source.names, source.is_to_all) for source in sources]
    named = _find_named(
        session,
        {(source.conversation.id, name) for source, names, is_to_all in parsed if not is_to_all for name in names},
    )
    members = {
        number: [make_person(*row) for row in _FIND_MEMBERS.fetch(session, conversation_id=number)]
        for number in {source.conversation.id for source, _, is_to_all in parsed if is_to_all}
    }
    return [
        tuple(
            person
            for person in (members if is_to_all else named).get(source.conversation.id, ())
            if person.id != source.sender_id and (is_to_all or person.username in names)
        )
        for source, names, is_to_all in parsed
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
        _INSERT.execute(session.connection(), rows)


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


def _find_named(session: Session, names: set[tuple[int, str]]) -> dict[int, list[Person]]:
    """Return the members with these names, given as conversation id and username, by conversation id."""
    people: dict[int, list[Person]] = {}
    if names:
        for conversation_id, *person in _FIND_NAMED.fetch(session, names=encode_rows(names)):
            people.setdefault(conversation_id, []).append(make_person(*person))
    return people
