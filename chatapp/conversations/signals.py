"""What memberships tell, after the commit."""

from dataclasses import dataclass

from blinker import Namespace

_signals = Namespace()

membership_revoked = _signals.signal("membership-revoked")
"""A `MembershipRevoked`: the person may read the conversation no longer."""

sidebar_changed = _signals.signal("sidebar-changed")
"""The ids of people whose list of conversations is another one now (`Sequence[int]`)."""


@dataclass(frozen=True, slots=True)
class MembershipRevoked:
    """Who left or was removed, and from where."""

    conversation: str
    user_id: int
