"""The kinds of conversations: one class for each, with everything that differs from the others.

No other module compares the column `kind`: it calls `kind_of(conversation)`. `chatapp.conversations.policy` uses these
classes for authorization. `chatapp.presentation.kinds` defines how each kind looks on a page.
"""

from typing import Any, ClassVar, Protocol

from sqlalchemy import ColumnElement, String, and_, literal_column

from chatapp.conversations.refs import ConversationRef
from chatapp.models import Conversation


class ConversationColumns(Protocol):
    """The columns of a conversation that authorization depends on. A row has them, and what a batch of posts reads."""

    @property
    def id(self) -> int:
        """The id."""

    @property
    def kind(self) -> str:
        """The name of its kind."""

    @property
    def is_private(self) -> bool:
        """Whether only invited users may see it."""

    @property
    def is_archived(self) -> bool:
        """Whether it is read-only."""


class MembershipColumns(Protocol):
    """The columns of a membership that authorization depends on."""

    @property
    def role(self) -> str:
        """The role, such as `manager`."""

    @property
    def is_blocked(self) -> bool:
        """Whether the user may not post."""


# Columns of the table, so that the conditions can be part of statements that do not load rows of the ORM.
_COLUMNS = Conversation.__table__.c


def _equals(column: ColumnElement[str], value: str) -> ColumnElement[bool]:
    """Compare a column with a constant that is part of the statement, not a parameter: see `opaque_parameter`."""
    return column == literal_column(f"'{value}'", String)


class ConversationKind:
    """A kind of conversation. By default only members read and write, and managers moderate."""

    name: ClassVar[str]
    """The value of the column `kind`, with which the wire name begins."""

    is_open_to_all: ClassVar[bool] = False
    """Whether every user may read and post without a membership."""

    has_assistant: ClassVar[bool] = False
    """Whether every message is a question to the assistant of the conversation."""

    has_threads: ClassVar[bool] = True
    """Whether messages can be answered in threads."""

    is_personal: ClassVar[bool] = False
    """Whether only its owner reads it."""

    is_titled_by_people: ClassVar[bool] = False
    """Whether it has no name of its own: its title and its URL consist of its people's names."""

    is_titled_by_first_message: ClassVar[bool] = False
    """Whether its first message becomes its name."""

    is_managed_by_admins: ClassVar[bool] = False
    """Whether the installation's admins may manage it, besides its managers."""

    is_moderated: ClassVar[bool] = True
    """Whether managers and admins may delete other people's messages."""

    has_picture: ClassVar[bool] = False
    """Whether it has a picture of its own, which those who manage it can change."""

    has_mention_all: ClassVar[bool] = False
    """Whether its managers may mention `@all`."""

    receipt_member_limit: ClassVar[int | None] = 0
    """Maximum number of members who see each other's read receipts; None for no maximum."""

    notification_level: ClassVar[str] = "mentions"
    """Of which messages its members are notified unless they set something else: see `Preferences`."""

    last_page_size: ClassVar[int] = 10
    """Number of messages on its page, and of those that a client receives which joins it without a cursor."""

    archived_text: ClassVar[str] = "This room is archived and is read-only."
    """The reason why nobody can post to an archived conversation."""

    @classmethod
    def condition(cls) -> ColumnElement[bool]:
        """Return the SQL condition that selects the conversations of this kind."""
        return _equals(_COLUMNS.kind, cls.name)

    @classmethod
    def new(cls, **columns: Any) -> Conversation:
        """Create a conversation of this kind. It is not added to a database session."""
        return Conversation(kind=cls.name, **columns)

    @classmethod
    def may_manage(cls, membership: MembershipColumns | None, *, is_admin: bool) -> bool:
        """Return whether a user may change the conversation itself: its settings, its members, its existence."""
        return is_manager(membership) or (is_admin and cls.is_managed_by_admins)

    @classmethod
    def may_moderate(cls, membership: MembershipColumns | None, *, is_admin: bool) -> bool:
        """Return whether a user may delete other people's messages."""
        return cls.is_moderated and (is_manager(membership) or is_admin)

    @classmethod
    def may_pin(cls, membership: MembershipColumns | None, *, is_admin: bool) -> bool:
        """Return whether a user may pin messages."""
        return cls.may_moderate(membership, is_admin=is_admin)

    @classmethod
    def may_mention_all(cls, membership: MembershipColumns | None) -> bool:
        """Return whether a user may mention `@all`."""
        return cls.has_mention_all and is_manager(membership)


class General(ConversationKind):
    """The general chat: one for each installation, and every user is a member."""

    name = "general"
    is_open_to_all = True


class Room(ConversationKind):
    """A room: everyone may join an open one, members are invited to a private one."""

    name = "room"
    has_picture = True
    has_mention_all = True
    receipt_member_limit = 20


class Direct(ConversationKind):
    """Direct messages between a few people. Nobody has more rights than the others, not even an admin."""

    name = "direct"
    is_titled_by_people = True
    is_moderated = False
    receipt_member_limit = None
    notification_level = "all"

    @classmethod
    def may_pin(cls, membership: MembershipColumns | None, *, is_admin: bool) -> bool:  # noqa: ARG003
        """Return whether a user is one of its people."""
        return membership is not None

    @classmethod
    def new(cls, **columns: Any) -> Conversation:
        """Create a private conversation without a name."""
        return super().new(name="", visibility="private", **columns)


class AssistantConversation(ConversationKind):
    """A conversation with an assistant: `SharedAssistant` or `AssistantSession`."""

    name = "assistant"
    has_assistant = True
    has_threads = False
    last_page_size = 50  # Answers refer to earlier messages.
    archived_text = "This session has ended and is read-only."


class SharedAssistant(AssistantConversation):
    """The conversation that all users share with an assistant: one for each assistant."""

    is_open_to_all = True
    has_picture = True
    is_managed_by_admins = True
    archived_text = (
        "This assistant is not configured, so its history is read-only. To enable it, an admin adds it to "
        "assistants.toml and restarts chatapp."
    )

    @classmethod
    def condition(cls) -> ColumnElement[bool]:
        """Return the SQL condition that selects shared conversations."""
        return and_(super().condition(), _equals(_COLUMNS.visibility, "open"))

    @classmethod
    def new(cls, **columns: Any) -> Conversation:
        """Create an open conversation. Its name is the one of the assistant, as it was written."""
        return super().new(visibility="open", **({"name": ""} | columns))


class AssistantSession(AssistantConversation):
    """A user's own conversation with an assistant, of which the user is the manager."""

    is_personal = True
    is_titled_by_first_message = True

    @classmethod
    def condition(cls) -> ColumnElement[bool]:
        """Return the SQL condition that selects sessions."""
        return and_(super().condition(), _equals(_COLUMNS.visibility, "private"))

    @classmethod
    def new(cls, **columns: Any) -> Conversation:
        """Create a private conversation."""
        return super().new(visibility="private", **columns)


OPEN_TO_ALL: tuple[type[ConversationKind], ...] = (General, SharedAssistant)
"""The kinds that every user may read without a membership."""

_BY_NAME: dict[str, type[ConversationKind]] = {kind.name: kind for kind in (General, Room, Direct)}


def kind_of(conversation: ConversationColumns) -> type[ConversationKind]:
    """Return the kind of a conversation."""
    if conversation.kind == AssistantConversation.name:
        return AssistantSession if conversation.is_private else SharedAssistant
    return _BY_NAME[conversation.kind]


def is_room(ref: ConversationRef) -> bool:
    """Return whether a ref is of a room."""
    return ref.kind == Room.name


def has_assistant(ref: ConversationRef) -> bool:
    """Return whether the conversation with this name has an assistant. Needs no row."""
    return ref.kind == AssistantConversation.name


def is_manager(membership: MembershipColumns | None) -> bool:
    """Return whether the membership has the role of a manager."""
    return membership is not None and membership.role == "manager"
