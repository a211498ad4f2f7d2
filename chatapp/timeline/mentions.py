"""Whom a message names: `@name` for somebody who is in the conversation, `@all` by a room's manager for everybody."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, insert, or_, select
from sqlalchemy.orm import Session

from chatapp.conversations.kinds import kind_of
from chatapp.conversations.people import Person
from chatapp.models import Conversation, Membership, Mention, User

EVERYBODY = "all"

OFFERED = 8
"""People that are offered for the beginning of a name."""

# Not within a word or an address: “ana@example.com” and “https://example.com/@ana” name nobody.
PATTERN = re.compile(r"(?<![\w@./-])@([a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?)(?![\w@])", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Draft:
    """What is looked at for names: a content, where it is to stand, and who says it."""

    conversation: Conversation
    membership: Membership | None
    sender_id: int
    content: str

    @property
    def names(self) -> set[str]:
        """What is named, be it somebody or not."""
        return find_names(self.content)

    @property
    def is_to_all(self) -> bool:
        """Whether everybody in the room is named."""
        return EVERYBODY in self.names and kind_of(self.conversation).may_mention_all(self.membership)


def find_names(content: str) -> set[str]:
    """Find what stands after an “@”, in lower case, be it somebody's name or not."""
    return {name.lower() for name in PATTERN.findall(content)}


def find_mentions(session: Session, drafts: Sequence[Draft]) -> list[tuple[Person, ...]]:
    """Give for each draft whom it names, without its sender, by username: one query for all that name anybody."""
    names = {name for draft in drafts for name in draft.names}
    if not names:
        return [()] * len(drafts)
    named = _find_members(session, {draft.conversation.id for draft in drafts if draft.names}, names)
    everybody = _find_members(session, {draft.conversation.id for draft in drafts if draft.is_to_all})
    return [
        tuple(
            person
            for person in (everybody if draft.is_to_all else named).get(draft.conversation.id, ())
            if person.id != draft.sender_id and (draft.is_to_all or person.username in draft.names)
        )
        for draft in drafts
    ]


def store_mentions(session: Session, mentions: Iterable[tuple[int, int, int, Person]]) -> None:
    """Store who is named: conversation, message, its number, person."""
    rows = [
        {"conversation_id": conversation_id, "message_id": message_id, "seq": seq, "user_id": person.id}
        for conversation_id, message_id, seq, person in mentions
    ]
    if rows:
        session.execute(insert(Mention), rows)


def remove_mentions(session: Session, message_id: int) -> None:
    """Let a message name nobody any longer."""
    session.execute(delete(Mention).where(Mention.message_id == message_id))


def fetch_mentions(session: Session, message_ids: Sequence[int]) -> dict[int, tuple[Person, ...]]:
    """Give whom each of the messages names, by username."""
    if not message_ids:
        return {}
    found: dict[int, tuple[Person, ...]] = {}
    for message_id, user in session.execute(
        select(Mention.message_id, User)
        .join(User, User.id == Mention.user_id)
        .where(Mention.message_id.in_(message_ids))
        .order_by(User.username)
    ):
        found[message_id] = (*found.get(message_id, ()), Person.of(user))
    return found


def list_mentionable(session: Session, conversation: Conversation, prefix: str) -> Sequence[Person]:
    """List a few people of the conversation whose name, or a part of it, begins with `prefix`, by name."""
    begun = prefix.lower()
    users = session.scalars(
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(
            Membership.conversation_id == conversation.id,
            User.is_active,
            or_(
                User.username.startswith(begun, autoescape=True),
                func.lower(User.name).startswith(begun, autoescape=True),
                func.lower(User.name).contains(f" {begun}", autoescape=True),
            ),
        )
        .order_by(func.lower(User.name), User.id)
        .limit(OFFERED)
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
