"""The query for the conversations of a user's sidebar. What they show is in `chatapp.presentation.sidebar`."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    FromClause,
    ScalarSelect,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from chatapp.conversations.kinds import AssistantSession, ConversationKind, Direct, General, Room, SharedAssistant
from chatapp.conversations.preferences import JOIN_PREFERENCES, PREFERENCE_COLUMNS, Preferences
from chatapp.models import (
    Conversation,
    ConversationPreference,
    Draft,
    Installation,
    Membership,
    Reminder,
    ScheduledMessage,
    Thread,
    ThreadMember,
)
from chatapp.models.conversations import format_wire_name
from chatapp.storage import ReadStatement

ROOM_LIMIT = 50
"""Maximum number of rooms, those used last; a page of its own lists more."""

DIRECT_LIMIT = 20
"""Maximum number of direct conversations; a page of its own lists more."""

SESSION_LIMIT = 5
"""Maximum number of sessions with assistants; a page of its own lists more."""

_CONVERSATIONS, _MEMBERSHIPS = Conversation.__table__, Membership.__table__
_INSTALLATION, _PREFERENCES = Installation.__table__, ConversationPreference.__table__
_THREADS, _MEMBERS = Thread.__table__, ThreadMember.__table__
_SCHEDULED, _REMINDERS, _DRAFTS = ScheduledMessage.__table__, Reminder.__table__, Draft.__table__


class SidebarRow(NamedTuple):
    """A conversation of a sidebar. Equal rows look the same."""

    id: int
    kind: str
    name: str
    visibility: str
    assistant: str | None
    avatar_digest: str | None
    last_event: int
    message_count: int
    floor: int
    reset_event: int
    last_read_seq: int | None
    """The user's read marker, if they are a member."""
    notification_level: str | None
    """What the user has set; None if nothing is set."""
    is_muted: bool | None
    is_favorite: bool | None
    epoch: str
    people_version: int

    def to_conversation(self) -> Conversation:
        """Return a conversation with these columns, which is not part of a database session."""
        return Conversation(
            id=self.id,
            kind=self.kind,
            name=self.name,
            visibility=self.visibility,
            assistant=self.assistant,
            avatar_digest=self.avatar_digest,
            last_event=self.last_event,
            message_count=self.message_count,
        )

    @property
    def preferences(self) -> Preferences:
        """What the user has set for it."""
        return Preferences.of(self.to_conversation(), (self.notification_level, self.is_muted, self.is_favorite))


class DraftPlace(NamedTuple):
    """Where a draft is: in a conversation, or in one of its threads."""

    wire_name: str
    thread_root: int
    """0 for the conversation itself."""


class SidebarCounts(NamedTuple):
    """What a sidebar shows besides conversations and their numbers."""

    unread_threads: int = 0
    """Threads that the user follows and has not read."""
    scheduled: int = 0
    """Messages that the user has scheduled."""
    unsent: int = 0
    """Those of them that could not be sent."""
    reminders: int = 0
    """Reminders that the user has not marked as done."""
    due: int = 0
    """Those of them that are due."""
    drafts: Sequence[DraftPlace] = ()
    """Where the user has drafts."""


NO_COUNTS = SidebarCounts()


class SidebarRows(NamedTuple):
    """What one query reads for a sidebar."""

    rows: Sequence[SidebarRow]
    counts: SidebarCounts


def list_sidebar(session: Session, user_id: int) -> SidebarRows:
    """List the conversations of a user's sidebar. The limits do not apply to favorites.

    In this order: the general chat, by name those rooms that were used last and are not archived, the direct
    conversations by their last use, the shared conversations with assistants, and the sessions by their last use.
    """
    found = _SELECT.fetch(session, user_id=user_id)
    columns = len(SidebarRow._fields)
    if not found:
        return SidebarRows([], NO_COUNTS)
    unread_threads, scheduled, unsent, reminders, due, drafts = found[0][columns:]
    places = _parse_drafts(drafts or "")
    counts = SidebarCounts(unread_threads, scheduled, unsent, reminders, due, places)
    return SidebarRows([SidebarRow(*row[:columns]) for row in found], counts)


def _count_unread_threads() -> ScalarSelect[int]:
    """Return the number of threads that the user follows, and to which others have replied since they read them."""
    return (
        select(func.count())
        .select_from(_MEMBERS)
        .join(
            _THREADS,
            and_(_THREADS.c.conversation_id == _MEMBERS.c.conversation_id, _THREADS.c.root_seq == _MEMBERS.c.root_seq),
        )
        # Threads are in conversations that everybody who may read them is a member of.
        .join(
            _MEMBERSHIPS,
            and_(
                _MEMBERSHIPS.c.conversation_id == _MEMBERS.c.conversation_id,
                _MEMBERSHIPS.c.user_id == _MEMBERS.c.user_id,
            ),
        )
        .where(
            _MEMBERS.c.user_id == bindparam("user_id"),
            _MEMBERS.c.is_following,
            _THREADS.c.last_seq > _MEMBERS.c.last_read_seq,
        )
        .scalar_subquery()
    )


def _count_own(table: FromClause, *conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    """Return the number of the user's rows in a table."""
    return (
        select(func.count())
        .select_from(table)
        .where(table.c.user_id == bindparam("user_id"), *conditions)
        .scalar_subquery()
    )


def _list_drafts() -> ScalarSelect[str]:
    """Return where the user has drafts, as `_parse_drafts` reads it. There is a limit for each person."""
    place = (
        _CONVERSATIONS.c.kind + " " + cast(_DRAFTS.c.conversation_id, Text) + " " + cast(_DRAFTS.c.thread_root, Text)
    )
    return (
        # As a parameter, the separator would be inserted at each execution, which a `ReadStatement` does not do.
        select(func.aggregate_strings(place, literal_column("','")))  # type: ignore[arg-type]  # typed as a string
        .select_from(_DRAFTS.join(_CONVERSATIONS, _CONVERSATIONS.c.id == _DRAFTS.c.conversation_id))
        .where(_DRAFTS.c.user_id == bindparam("user_id"))
        .scalar_subquery()
    )


def _parse_drafts(text: str) -> Sequence[DraftPlace]:
    places = (place.split(" ") for place in sorted(text.split(",")) if place)
    return [DraftPlace(format_wire_name(kind, int(number)), int(root)) for kind, number, root in places]


def _select() -> Select[Any]:
    sections: dict[type[ConversationKind], tuple[int, Any, int]] = {
        General: (0, General.condition() & _CONVERSATIONS.c.ended_at.is_(None), 1),
        Room: (1, Room.condition() & _CONVERSATIONS.c.ended_at.is_(None), ROOM_LIMIT),
        Direct: (
            2,
            Direct.condition() & or_(_CONVERSATIONS.c.last_event > 0, _PREFERENCES.c.is_favorite),
            DIRECT_LIMIT,
        ),
        AssistantSession: (4, AssistantSession.condition(), SESSION_LIMIT),
    }
    columns = [_CONVERSATIONS.c[name] for name in SidebarRow._fields if name in _CONVERSATIONS.c]
    # A room that the user has just joined, or was added to, counts as used.
    used_at = case(
        (
            and_(Room.condition(), _MEMBERSHIPS.c.created_at > _CONVERSATIONS.c.updated_at),
            _MEMBERSHIPS.c.created_at,
        ),
        else_=_CONVERSATIONS.c.updated_at,
    )
    section = case(*((condition, number) for number, condition, _ in sections.values()))
    joined = (
        select(
            *columns,
            _MEMBERSHIPS.c.last_read_seq,
            *PREFERENCE_COLUMNS,
            section.label("section"),
            case((Room.condition(), func.lower(_CONVERSATIONS.c.name)), else_="").label("sort_name"),
            func.row_number()
            .over(
                partition_by=section,
                order_by=(_CONVERSATIONS.c.pinned_at.is_(None), used_at.desc(), _CONVERSATIONS.c.id.desc()),
            )
            .label("rank"),
        )
        .select_from(
            _MEMBERSHIPS.join(_CONVERSATIONS, _CONVERSATIONS.c.id == _MEMBERSHIPS.c.conversation_id).outerjoin(
                _PREFERENCES, JOIN_PREFERENCES
            ),
        )
        .where(
            _MEMBERSHIPS.c.user_id == bindparam("user_id"), or_(*(condition for _, condition, _ in sections.values()))
        )
        .subquery()
    )
    limit = case(*((joined.c.section == number, maximum) for number, _, maximum in sections.values()))
    shared = (
        select(
            *columns,
            _MEMBERSHIPS.c.last_read_seq,
            *PREFERENCE_COLUMNS,
            literal(3).label("section"),
            _CONVERSATIONS.c.assistant.label("sort_name"),
            literal(0).label("rank"),
        )
        .select_from(
            _CONVERSATIONS.outerjoin(
                _MEMBERSHIPS,
                and_(
                    _MEMBERSHIPS.c.conversation_id == _CONVERSATIONS.c.id,
                    _MEMBERSHIPS.c.user_id == bindparam("user_id"),
                ),
            ).outerjoin(_PREFERENCES, JOIN_PREFERENCES)
        )
        .where(SharedAssistant.condition())
    )
    rows = union_all(select(joined).where(or_(joined.c.rank <= limit, joined.c.is_favorite)), shared).subquery()
    return (
        select(
            *(rows.c[name] for name in SidebarRow._fields if name in rows.c),
            _INSTALLATION.c.epoch,
            _INSTALLATION.c.people_version,
            _count_unread_threads(),
            _count_own(_SCHEDULED),
            _count_own(_SCHEDULED, _SCHEDULED.c.problem.is_not(None)),
            _count_own(_REMINDERS),
            _count_own(_REMINDERS, _REMINDERS.c.fired_at.is_not(None)),
            _list_drafts(),
        )
        .select_from(rows.join(_INSTALLATION, _INSTALLATION.c.id == 1))
        .order_by(
            rows.c.section, rows.c.sort_name, case((rows.c.section == sections[Room][0], rows.c.id), else_=rows.c.rank)
        )
    )


_SELECT = ReadStatement(_select())
