"""Queries for conversations. None of them checks permissions: see `policy`."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, or_, select
from sqlalchemy.orm import Session

from chatapp.actors import Actor, require_active_login
from chatapp.conversations.kinds import OPEN_TO_ALL, AssistantSession, Direct, Room, SharedAssistant, kind_of
from chatapp.conversations.people import Person
from chatapp.conversations.policy import may_read
from chatapp.conversations.refs import ConversationRef, make_ref
from chatapp.credentials import has_share_links
from chatapp.models import Block, Conversation, Membership, ShareLink, User
from chatapp.models.conversations import format_wire_name
from chatapp.storage import INTEGER, TEXT, ReadStatement, encode_rows, opaque_parameter, parameter_rows

# Each new socket runs it: it is built only once, and loads no ORM rows.
_MEMBERSHIPS = (
    select(Membership.user_id, Conversation.kind, Conversation.id)
    .join(Conversation, Conversation.id == Membership.conversation_id)
    .where(Membership.user_id.in_(bindparam("user_ids", expanding=True)))
)


@dataclass(frozen=True, slots=True)
class RoomSummary:
    """A room as lists show it."""

    id: int
    name: str
    topic: str
    is_private: bool
    is_archived: bool
    member_count: int


@dataclass(slots=True)
class ReadableConversation:
    """The columns of a conversation that a user may read."""

    id: int
    kind: str
    visibility: str
    is_archived: bool
    name: str
    message_count: int
    last_event: int
    indexed_event: int
    indexed_tokenizer: int

    @property
    def is_private(self) -> bool:
        """Whether only invited users may see it."""
        return self.visibility == "private"

    @property
    def ref(self) -> ConversationRef:
        """Its ref."""
        return make_ref(self.kind, self.id)


class _Member(NamedTuple):
    role: str
    is_blocked: bool


class ConversationAccess(NamedTuple):
    """A conversation and one user's membership in it; each is None if it does not exist."""

    conversation: Conversation | None
    membership: Membership | None


_CONVERSATION = [column.key for column in Conversation.__table__.c]
_MEMBERSHIP = [column.key for column in Membership.__table__.c]

ACCESS_COLUMNS = [
    *(getattr(Conversation, name) for name in _CONVERSATION),
    *(getattr(Membership, name) for name in _MEMBERSHIP),
]
"""The columns with which a row for `split_access` begins."""

# Built once: building a statement takes as long as executing it.
JOIN_MEMBERSHIP = and_(Membership.conversation_id == Conversation.id, Membership.user_id == bindparam("user_id"))
"""The condition that joins the membership of the user with a `user_id`."""
HAS_REF = and_(Conversation.id == bindparam("id"), Conversation.kind == opaque_parameter("kind", TEXT))
"""The condition that selects the conversation with an `id` and a `kind`."""
_FIND_ACCESS = ReadStatement(
    select(*ACCESS_COLUMNS).select_from(Conversation).outerjoin(Membership, JOIN_MEMBERSHIP).where(HAS_REF)
)
_READABLE = ReadStatement(
    select(
        Conversation.id,
        Conversation.kind,
        Conversation.visibility,
        Conversation.ended_at.is_not(None),
        Conversation.name,
        Conversation.message_count,
        Conversation.last_event,
        Conversation.indexed_event,
        Conversation.indexed_tokenizer,
        Membership.role,
        Membership.is_blocked,
    )
    .select_from(Conversation)
    .outerjoin(Membership, JOIN_MEMBERSHIP)
    # Two look-ups by keys. With a condition on the joined membership, all conversations would be read.
    .where(
        or_(
            Conversation.id.in_(select(Membership.conversation_id).where(Membership.user_id == bindparam("user_id"))),
            Conversation.id.in_(
                select(Conversation.id).where(or_(*(kind.condition() for kind in OPEN_TO_ALL))).correlate(None)
            ),
        )
    )
)
MEMBER_KEYS = parameter_rows("keys", conversation_id=INTEGER, user_id=INTEGER)
"""Keys of memberships."""
IS_LISTED = and_(
    Membership.conversation_id == MEMBER_KEYS.c.conversation_id, Membership.user_id == MEMBER_KEYS.c.user_id
)
"""The condition that selects the memberships with one of the `MEMBER_KEYS`."""
_FIND_ACCESSES = ReadStatement(
    select(*ACCESS_COLUMNS)
    .select_from(MEMBER_KEYS)
    .join(Membership, IS_LISTED)
    .join(Conversation, Conversation.id == Membership.conversation_id)
)
_FIND_ROWS = select(Conversation, Membership).outerjoin(Membership, JOIN_MEMBERSHIP).where(HAS_REF)


def has_ref(ref: ConversationRef) -> ColumnElement[bool]:
    """Return the SQL condition that selects the conversation with this ref."""
    return and_(Conversation.id == ref.id, Conversation.kind == ref.kind)


def find_access(session: Session, ref: ConversationRef, user_id: int) -> ConversationAccess:
    """Find a conversation with a user's membership in it. Neither is part of the session, so that they cannot change.

    To load them as rows of the ORM would take twice as long.
    """
    rows = _FIND_ACCESS.fetch(session, id=ref.id, kind=ref.kind, user_id=user_id)
    return split_access(rows[0])[0] if rows else ConversationAccess(None, None)


def split_access(row: Sequence[Any]) -> tuple[ConversationAccess, Sequence[Any]]:
    """Return the conversation and the membership of a row that begins with `ACCESS_COLUMNS`, and its other columns."""
    values = iter(row)
    # Their constructors record a change for each column, which takes most of the time.
    conversation, membership = Conversation(), Membership()
    vars(conversation).update((name, next(values)) for name in _CONVERSATION)
    vars(membership).update((name, next(values)) for name in _MEMBERSHIP)
    return ConversationAccess(conversation, membership if membership.user_id is not None else None), list(values)


def find_conversation(session: Session, ref: ConversationRef) -> Conversation | None:
    """Find a conversation by its ref."""
    return session.scalars(select(Conversation).where(has_ref(ref))).one_or_none()


def find_access_of(session: Session, ref: ConversationRef, actor: Actor) -> ConversationAccess:
    """Find a conversation with the actor's membership in it, as rows that can be changed.

    Raises `SignedOut` if the actor's login was revoked.
    """
    require_active_login(session, actor)
    row = session.execute(_FIND_ROWS, {"id": ref.id, "kind": ref.kind, "user_id": actor.user_id}).one_or_none()
    return ConversationAccess(None, None) if row is None else ConversationAccess(row[0], row[1])


def find_reader_access(session: Session, ref: ConversationRef, actor: Actor) -> ConversationAccess:
    """Find what `find_access_of` does, faster, for an actor who only reads: see `find_access`.

    Raises `SignedOut` if the actor's login was revoked.
    """
    require_active_login(session, actor)
    return find_access(session, ref, actor.user_id)


def find_accesses(session: Session, keys: Collection[tuple[int, int]]) -> dict[tuple[int, int], ConversationAccess]:
    """Find many memberships at once, by conversation id and user id: see `find_access`.

    Keys without a membership are left out.
    """
    accesses = (split_access(row)[0] for row in _FIND_ACCESSES.fetch(session, keys=encode_rows(keys)))
    return {
        (access.membership.conversation_id, access.membership.user_id): access
        for access in accesses
        if access.membership is not None
    }


def list_readable(session: Session, user_id: int) -> list[ReadableConversation]:
    """List all conversations that a user may read: those for which `authorize_reading` succeeds."""
    rows = _READABLE.fetch(session, user_id=user_id)
    conversations = (
        (ReadableConversation(*values), None if role is None else _Member(role, is_blocked))
        for *values, role, is_blocked in rows
    )
    return [conversation for conversation, membership in conversations if may_read(conversation, membership)]


def find_public_ids(session: Session, conversation_ids: Collection[int]) -> set[int]:
    """Return the ids of those conversations that anyone can read through a share link."""
    shared = select(ShareLink.conversation_id).where(ShareLink.conversation_id.in_(conversation_ids), has_share_links())
    return set(session.scalars(shared))


def is_public(session: Session, conversation_id: int) -> bool:
    """Return whether anyone can read the conversation through a share link."""
    return bool(find_public_ids(session, [conversation_id]))


def direct_key(user_ids: Collection[int]) -> str:
    """Return the key of the direct conversation between these people, of which there is at most one."""
    return ":".join(map(str, sorted(set(user_ids))))


def find_direct(session: Session, key: str) -> Conversation | None:
    """Find the direct conversation with this key."""
    return session.scalars(select(Conversation).where(Conversation.direct_key == key)).one_or_none()


def has_blocked(session: Session, blocker_id: int, blocked_id: int) -> bool:
    """Return whether one user has blocked direct messages from the other."""
    return session.get(Block, (blocker_id, blocked_id)) is not None


def list_direct_conversations(session: Session, user_id: int, *, limit: int) -> Sequence[Conversation]:
    """List a user's direct conversations that have had a message, the last used first."""
    return session.scalars(
        _select_joined(user_id)
        .where(Direct.condition(), Conversation.last_event > 0)
        .order_by(Conversation.updated_at.desc(), Conversation.id.desc())
        .limit(limit)
    ).all()


def list_shared_conversations(session: Session) -> Sequence[Conversation]:
    """List the shared conversations with assistants, by the assistant's name."""
    return session.scalars(
        select(Conversation).where(SharedAssistant.condition()).order_by(Conversation.assistant)
    ).all()


def select_sessions(user_id: int) -> Select[Conversation]:
    """Select a user's sessions with assistants: the pinned ones, then the others, each with the last used first."""
    return (
        _select_joined(user_id)
        .where(AssistantSession.condition())
        .order_by(Conversation.pinned_at.is_(None), Conversation.updated_at.desc(), Conversation.id.desc())
    )


def _select_joined(user_id: int) -> Select[Conversation]:
    return (
        select(Conversation)
        .join(Membership, Membership.conversation_id == Conversation.id)
        .where(Membership.user_id == user_id)
    )


def list_wire_names(session: Session, user_id: int) -> Sequence[str]:
    """List the wire names of all conversations that a user is a member of."""
    return list_wire_names_of(session, [user_id])[user_id]


def list_wire_names_of(session: Session, user_ids: Collection[int]) -> dict[int, list[str]]:
    """List for each user the wire names of all conversations that they are a member of."""
    wire_names: dict[int, list[str]] = {user_id: [] for user_id in user_ids}
    rows = session.connection().execute(_MEMBERSHIPS, {"user_ids": list(user_ids)})
    for user_id, kind, conversation_id in rows:
        wire_names[user_id].append(format_wire_name(kind, conversation_id))
    return wire_names


def list_people(session: Session, conversation_ids: Sequence[int]) -> dict[int, list[Person]]:
    """List the members of each conversation, by name."""
    people: dict[int, list[Person]] = {conversation_id: [] for conversation_id in conversation_ids}
    for conversation_id, user in session.execute(
        select(Membership.conversation_id, User)
        .join(User, User.id == Membership.user_id)
        .where(Membership.conversation_id.in_(conversation_ids))
        .order_by(func.lower(User.name), User.id)
    ):
        people[conversation_id].append(Person.of(user))
    return people


def list_title_people(session: Session, conversations: Iterable[Conversation]) -> dict[int, list[Person]]:
    """List the members of each conversation whose title consists of their names. Other conversations are left out."""
    ids = [conversation.id for conversation in conversations if kind_of(conversation).is_titled_by_people]
    return list_people(session, ids) if ids else {}


def list_member_ids(session: Session, conversation_id: int) -> Sequence[int]:
    """List the user ids of a conversation's members."""
    return session.scalars(select(Membership.user_id).where(Membership.conversation_id == conversation_id)).all()


def count_members(session: Session, conversation_id: int) -> int:
    """Return the number of a conversation's members."""
    return session.scalars(select(func.count()).where(Membership.conversation_id == conversation_id)).one()


def select_rooms() -> Select[Conversation, int]:
    """Select rooms, each with its number of members."""
    count = (
        select(func.count())
        .select_from(Membership)
        .where(Membership.conversation_id == Conversation.id)
        .correlate(Conversation)
        .scalar_subquery()
    )
    return select(Conversation, count).where(Room.condition())


def list_summaries(session: Session, query: Select[Conversation, int]) -> list[RoomSummary]:
    """Run a query made by `select_rooms`, ordered by name."""
    rows = session.execute(query.order_by(func.lower(Conversation.name), Conversation.id))
    return [
        RoomSummary(room.id, room.name, room.topic, room.is_private, room.is_archived, count) for room, count in rows
    ]


def get_summary(session: Session, room: Conversation) -> RoomSummary:
    """Return the summary of one room."""
    (summary,) = list_summaries(session, select_rooms().where(Conversation.id == room.id))
    return summary
