"""How API tokens, and a person's conversations one page after the other, are found."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from chatapp.conversations.names import ConversationName
from chatapp.conversations.people import Person
from chatapp.conversations.queries import ConversationAccess
from chatapp.models import ApiToken, Conversation, Membership, User


@dataclass(frozen=True, slots=True)
class Places:
    """A stretch of a person's conversations, by their number in the database."""

    places: Sequence[ConversationAccess]
    total: int
    has_older: bool
    has_newer: bool


def find_token(session: Session, token_hash: str) -> ApiToken | None:
    """Find the token with that hash, unless the account that it belongs to was switched off."""
    return session.scalars(
        select(ApiToken)
        .join(User, User.id == ApiToken.user_id)
        .where(ApiToken.token_hash == token_hash, User.is_active)
    ).one_or_none()


def list_tokens(session: Session, user_id: int) -> Sequence[ApiToken]:
    """List a person's tokens, the newest first."""
    return session.scalars(select(ApiToken).where(ApiToken.user_id == user_id).order_by(ApiToken.id.desc())).all()


def list_places(session: Session, user_id: int, *, before: int | None, after: int | None, limit: int) -> Places:
    """Give the first `limit` of the conversations that a person is in, or those around a cursor.

    With `after` those after that id, with `before` alone those just before it.
    """
    mine = (
        select(Conversation, Membership)
        .join(Membership, Membership.conversation_id == Conversation.id)
        .where(Membership.user_id == user_id)
    )
    backwards = before is not None and after is None
    query = mine.order_by(Conversation.id.desc() if backwards else Conversation.id).limit(limit + 1)
    if before is not None:
        query = query.where(Conversation.id < before)
    if after is not None:
        query = query.where(Conversation.id > after)
    found = [ConversationAccess(conversation, membership) for conversation, membership in session.execute(query)]
    is_cut = len(found) > limit
    has_newer = before is not None and _has_any(session, user_id, Membership.conversation_id >= before)
    has_older = after is not None and _has_any(session, user_id, Membership.conversation_id <= after)
    return Places(
        places=found[:limit][::-1] if backwards else found[:limit],
        total=session.scalars(select(func.count()).where(Membership.user_id == user_id)).one(),
        has_older=has_older or (is_cut and backwards),
        has_newer=has_newer or (is_cut and not backwards),
    )


def find_name(session: Session, conversation_id: int) -> ConversationName | None:
    """Find the name of the conversation with this id. Does not check permissions."""
    conversation = session.get(Conversation, conversation_id)
    return None if conversation is None else ConversationName.of(conversation)


def find_active(session: Session, user_id: int) -> Person | None:
    """Find the person of that id, unless the account was switched off."""
    user = session.scalars(select(User).where(User.id == user_id, User.is_active)).one_or_none()
    return None if user is None else Person.of(user)


def _has_any(session: Session, user_id: int, is_there: ColumnElement[bool]) -> bool:
    query = select(Membership.user_id).where(Membership.user_id == user_id, is_there).limit(1)
    return session.execute(query).one_or_none() is not None
