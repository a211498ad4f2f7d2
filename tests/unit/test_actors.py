"""Active actors: the account is active, and the login session or token was not revoked."""

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from chatapp.actors import (
    Actor,
    find_active_actors,
    find_active_tokens,
    is_admin,
    require_active_login,
)
from chatapp.errors import SignedOut
from chatapp.models import ApiToken, LoginSession, User
from chatapp.models.base import Base

ANA, BOB, BANNED = 1, 2, 3


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(
            [
                User(id=ANA, username="ana", name="Ana", password_hash="x", role="admin"),
                User(id=BOB, username="bob", name="Bob", password_hash="x"),
                User(id=BANNED, username="eve", name="Eve", password_hash="x", is_active=False),
                LoginSession(id=10, user_id=ANA, token_hash="a"),
                LoginSession(id=11, user_id=BANNED, token_hash="b"),
                ApiToken(id=20, user_id=BOB, token_hash="c", name="a program", scopes="read"),
            ]
        )
        session.flush()
        yield session
    engine.dispose()


def test_an_actor_is_active_until_the_login_is_revoked_or_the_account_banned(session: Session) -> None:
    active = {Actor(ANA), Actor(ANA, login_session_id=10), Actor(BOB, token_id=20)}
    revoked = {Actor(ANA, login_session_id=12), Actor(BOB, token_id=21)}
    banned = {Actor(BANNED), Actor(BANNED, login_session_id=11)}
    unknown = {Actor(99)}
    assert find_active_actors(session, active | revoked | banned | unknown) == active


def test_an_actor_passes_as_long_as_the_login_is_active_and_their_own(session: Session) -> None:
    for actor in (Actor(ANA, login_session_id=10), Actor(BOB, token_id=20), Actor(BOB)):
        require_active_login(session, actor)
    revoked, banned, others = Actor(ANA, login_session_id=12), Actor(BANNED, login_session_id=11), Actor(BOB, 10)
    for actor in (revoked, banned, others, Actor(BOB, token_id=21), Actor(ANA, token_id=20), Actor(99)):
        with pytest.raises(SignedOut):
            require_active_login(session, actor)


def test_active_tokens_are_found_by_id(session: Session) -> None:
    assert find_active_tokens(session, [Actor(BOB, token_id=20), Actor(BOB, token_id=21), Actor(ANA)]) == {20}
    assert find_active_tokens(session, [Actor(ANA)]) == set()


def test_admins_have_the_role(session: Session) -> None:
    assert [is_admin(session, Actor(user_id)) for user_id in (ANA, BOB, 99)] == [True, False, False]
