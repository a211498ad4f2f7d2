"""Choices that a form does not offer are refused before anything is stored."""

import pytest

from chatapp.accounts.invitations import MAX_DAYS, MAX_USES, create_invitation
from chatapp.actors import Actor
from chatapp.api.tokens.service import create_token
from chatapp.errors import Invalid

ANA = Actor(1)


@pytest.mark.parametrize(
    ("days", "max_uses", "reason"),
    [
        (0, None, "expires after"),
        (MAX_DAYS + 1, None, "expires after"),
        (None, 0, "use limit"),
        (1, MAX_USES + 1, "use limit"),
    ],
)
def test_an_invitation_has_a_limit_that_is_offered(days: int | None, max_uses: int | None, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        create_invitation(ANA, days=days, max_uses=max_uses)


@pytest.mark.parametrize(("choice", "days", "reason"), [("all", "30", "access"), ("read", "31", "expires")])
def test_a_token_has_an_access_and_an_expiry_that_are_offered(choice: str, days: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        create_token(ANA, "a token", choice, days)
