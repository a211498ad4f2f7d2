"""What decides about the posts of a batch, read by one query: senders, login sessions, memberships, stored keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Select, and_, bindparam, select
from sqlalchemy.orm import Session

from chatapp.actors import Actor
from chatapp.conversations.people import Person, make_person
from chatapp.conversations.refs import ConversationRef
from chatapp.models import LoginSession, Membership, Message, RetiredKey, User, now
from chatapp.models.base import UtcDateTime
from chatapp.storage import INTEGER, TEXT, ReadStatement, encode_rows, parameter_rows


class Keyed(Protocol):
    """The values of a post that the query finds rows by."""

    @property
    def conversation(self) -> ConversationRef:
        """The conversation that it is for."""

    @property
    def actor(self) -> Actor:
        """The sender."""

    @property
    def client_id(self) -> str:
        """The id that the client has given it."""


# Not frozen: these would take three times as long to create.


@dataclass(slots=True)
class MemberColumns:
    """The columns of a membership that authorization depends on."""

    role: str
    is_blocked: bool


@dataclass(slots=True)
class PostFacts:
    """What decides about a post."""

    sender: Person | None
    """None if there is no such user, or if the account is not active."""
    has_login_session: bool
    """Whether the sender's login session is valid, if it was sent in one."""
    membership: MemberColumns | None
    message_id: int | None
    """The message that is stored under the same key."""
    is_retired: bool
    """Whether a cleanup has removed a message with the same key."""


def _select_facts() -> Select[*tuple[Any, ...]]:
    posts = parameter_rows(
        "posts", number=INTEGER, conversation_id=INTEGER, user_id=INTEGER, login_session_id=INTEGER, client_id=TEXT
    )
    post = posts.c
    login_session = and_(
        LoginSession.id == post.login_session_id,
        LoginSession.user_id == post.user_id,
        LoginSession.is_valid(bindparam("moment", type_=UtcDateTime())),
    )
    return (
        select(
            post.number,
            post.user_id,
            User.username,
            User.name,
            User.avatar_digest,
            LoginSession.id,
            Membership.role,
            Membership.is_blocked,
            Message.id,
            RetiredKey.seq,
        )
        .select_from(posts)
        .outerjoin(User, and_(User.id == post.user_id, User.is_active))
        .outerjoin(LoginSession, login_session)
        .outerjoin(
            Membership,
            and_(Membership.conversation_id == post.conversation_id, Membership.user_id == post.user_id),
        )
        .outerjoin(Message, and_(Message.client_id == post.client_id, Message.sender_id == post.user_id))
        .outerjoin(RetiredKey, and_(RetiredKey.client_id == post.client_id, RetiredKey.sender_id == post.user_id))
    )


# Built once: building a statement takes as long as executing it.
_FACTS = ReadStatement(_select_facts())


def find_post_facts(session: Session, posts: Sequence[Keyed]) -> list[PostFacts]:
    """Find what decides about each of the posts."""
    keys = encode_rows(
        (number, post.conversation.id, post.actor.user_id, post.actor.login_session_id, post.client_id)
        for number, post in enumerate(posts)
    )
    rows = _FACTS.fetch(session, posts=keys, moment=now())
    facts = {
        number: PostFacts(
            sender=None if person[1] is None else make_person(*person),
            has_login_session=login_session_id is not None,
            membership=None if role is None else MemberColumns(role, is_blocked),
            message_id=message_id,
            is_retired=retired_seq is not None,
        )
        for number, *person, login_session_id, role, is_blocked, message_id, retired_seq in rows
    }
    return [facts[number] for number in range(len(posts))]
