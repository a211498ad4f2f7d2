"""Signals of memberships, sent after the commit."""

from collections.abc import Sequence
from dataclasses import dataclass

from chatapp.conversations.refs import ConversationRef
from chatapp.signals import Signal


@dataclass(frozen=True, slots=True)
class MembershipRevoked:
    """Somebody left a conversation or was removed from it."""

    conversation: ConversationRef
    user_id: int


membership_revoked: Signal[MembershipRevoked] = Signal("membership-revoked")
"""A membership has ended."""


@dataclass(frozen=True, slots=True)
class MembersChanged:
    """Somebody joined a room, was added to it, left it or was removed from it."""

    conversation: ConversationRef
    member_count: int
    """The number of members afterwards."""


members_changed: Signal[MembersChanged] = Signal("members-changed")
"""The number of members of a room has changed."""


@dataclass(frozen=True, slots=True)
class AssistantPicture:
    """The picture of an assistant, which its shared conversation has."""

    assistant: str
    """The assistant's key."""
    conversation: ConversationRef
    digest: str


assistant_pictures_changed: Signal[Sequence[AssistantPicture]] = Signal("assistant-pictures-changed")
"""The pictures of all assistants that have one, as they are now. They may be the same as before."""


sidebar_changed: Signal[Sequence[int]] = Signal("sidebar-changed")
"""The ids of the users whose list of conversations has changed."""

all_sidebars_changed: Signal[None] = Signal("all-sidebars-changed")
"""Something in the lists of all users has changed, but not which conversations they have."""
