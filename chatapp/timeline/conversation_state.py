"""What a conversation's page shows around its messages, from one query."""

from dataclasses import dataclass, field

from sqlalchemy import and_, bindparam, case, false, func, select
from sqlalchemy.orm import Session

from chatapp.conversations.kinds import AssistantConversation, Room
from chatapp.conversations.preferences import JOIN_PREFERENCES, PREFERENCE_COLUMNS, Preferences
from chatapp.conversations.queries import ACCESS_COLUMNS, HAS_REF, ConversationAccess, split_access
from chatapp.conversations.refs import ConversationRef
from chatapp.models import (
    Conversation,
    ConversationPreference,
    Draft,
    Installation,
    Membership,
    Pin,
    ScheduledMessage,
    ShareLink,
)
from chatapp.storage import ReadStatement
from chatapp.timeline.drafts import IN_ROOM, NO_DRAFT, DraftState
from chatapp.timeline.read_markers import ReadState
from chatapp.timeline.read_state import MENTIONS, UNREAD


@dataclass(frozen=True, slots=True)
class ConversationState:
    """A conversation as one user sees it."""

    access: ConversationAccess
    read_state: ReadState | None = None
    """The user's, if they are a member."""
    preferences: Preferences = field(default_factory=Preferences)
    """The user's."""
    epoch: str = ""
    member_count: int | None = None
    """The number of members of a room."""
    is_public: bool = False
    """Whether anyone can read it through a share link."""
    has_pins: bool = False
    """Whether messages are pinned in it."""
    draft: DraftState = NO_DRAFT
    """What the user has begun to write in it, or in one of its threads."""
    scheduled: int = 0
    """The number of messages that the user has scheduled for it."""
    has_share_links: bool = False
    """Whether share links can be created in this installation."""


_MEMBERS = Membership.__table__.alias("members")

# Only what the kind of conversation needs is counted.
_SELECT = ReadStatement(
    select(
        *ACCESS_COLUMNS,
        UNREAD.label("unread"),
        MENTIONS.label("mentions"),
        Installation.epoch,
        case(
            (
                Room.condition(),
                select(func.count())
                .select_from(_MEMBERS)
                .where(_MEMBERS.c.conversation_id == Conversation.id)
                .correlate(Conversation)
                .scalar_subquery(),
            )
        ).label("member_count"),
        case(
            (
                and_(AssistantConversation.condition(), Installation.has_share_links),
                select(ShareLink.conversation_id)
                .where(ShareLink.conversation_id == Conversation.id)
                .correlate(Conversation)
                .exists(),
            ),
            else_=false(),
        ).label("is_public"),
        select(Pin.message_id)
        .where(Pin.conversation_id == Conversation.id)
        .correlate(Conversation)
        .exists()
        .label("has_pins"),
        Draft.content,
        Draft.version.label("draft_version"),
        select(func.count())
        .select_from(ScheduledMessage)
        .where(ScheduledMessage.user_id == bindparam("user_id"), ScheduledMessage.conversation_id == Conversation.id)
        .correlate(Conversation)
        .scalar_subquery(),
        Installation.has_share_links,
        *PREFERENCE_COLUMNS,
    )
    .select_from(Conversation)
    .join(Installation, Installation.id == 1)
    .outerjoin(
        Membership, and_(Membership.conversation_id == Conversation.id, Membership.user_id == bindparam("user_id"))
    )
    .outerjoin(ConversationPreference, JOIN_PREFERENCES)
    .outerjoin(
        Draft,
        and_(
            Draft.user_id == bindparam("user_id"),
            Draft.conversation_id == Conversation.id,
            Draft.thread_root == bindparam("thread_root"),
        ),
    )
    .where(HAS_REF)
)


def find_state(
    session: Session, ref: ConversationRef, user_id: int, *, thread_root: int | None = None
) -> ConversationState:
    """Find a conversation as a user sees it. The caller authorizes the access, which is empty if it does not exist.

    The draft is the one for the conversation, or for a thread in it.

    Its conversation and membership are not part of the session.
    """
    rows = _SELECT.fetch(session, id=ref.id, kind=ref.kind, user_id=user_id, thread_root=thread_root or IN_ROOM)
    if not rows:
        return ConversationState(ConversationAccess(None, None))
    access, values = split_access(rows[0])
    unread, mentions, epoch, member_count, is_public, has_pins, *others = values
    content, version, scheduled, has_share_links, *preferences = others
    conversation, membership = access
    return ConversationState(
        access=access,
        read_state=ReadState(ref, user_id, membership.last_read_seq, unread, mentions) if membership else None,
        preferences=Preferences.of(conversation, preferences) if conversation else Preferences(),
        epoch=epoch,
        member_count=member_count,
        is_public=is_public,
        has_pins=has_pins,
        draft=DraftState(content, version) if version else NO_DRAFT,
        scheduled=scheduled,
        has_share_links=has_share_links,
    )
