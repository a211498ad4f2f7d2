"""What an assistant may read: what its asker may, and so may everybody else who hears the answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import Flask
from sqlalchemy import ColumnElement, Select, and_, case, exists, func, literal, or_, select
from sqlalchemy.orm import Session

from chatapp.actors import Actor, find_active_actors
from chatapp.conversations.kinds import General, SharedAssistant
from chatapp.conversations.names import ConversationName
from chatapp.conversations.people import Person
from chatapp.conversations.queries import list_people
from chatapp.database import read_at_length
from chatapp.extensions import db
from chatapp.models import Conversation, Membership, Message, ShareLink, User
from chatapp.presentation.conversations import conversation_title, direct_title

LOOKED_AT = 20_000
"""Newest messages that a search looks at: what that costs does not grow with the history."""

WORDS = 12
"""Words of a search that count."""


@dataclass(frozen=True, slots=True)
class Found:
    """A message that was found, and where it stands."""

    conversation: str
    place: str
    """What people call the conversation."""
    seq: int
    sender: str
    content: str
    created_at: datetime


class MessageSearch:
    """The history, as far as it is open to one asker, and to everybody who hears what is found.

    In a session nobody but the asker listens. Elsewhere others do, and what the asker alone may read (direct messages,
    private rooms) is no business of theirs: there only what is open to all of them is looked at. Whoever has the public
    link of a session listens too.
    """

    def __init__(
        self, app: Flask, asker: Actor, conversation: ConversationName, question: int, *, is_private: bool
    ) -> None:
        self._app = app
        self._asker = asker
        self._conversation = conversation
        self._question = question
        self._is_private = is_private

    def search(self, words: Sequence[str], *, sender: str | None = None, limit: int = 5) -> Sequence[Found]:
        """Find messages that have some of the words in them, or all that a person has said where there are no words.

        Those with the most of the words come first, then the newest. `sender` is a username. Strange words find
        nothing.
        """
        wanted = [word for word in words if "\0" not in word][:WORDS]
        if not wanted and sender is None:
            return []
        with self._app.app_context():
            session = db.session()
            if not find_active_actors(session, [self._asker]):
                return []
            query = self._query(session, wanted, sender).limit(limit)
            rows = read_at_length(session, lambda reading: reading.execute(query).all())
            people = list_people(session, [conversation.id for _, _, conversation in rows])
            return [
                Found(
                    conversation=conversation.wire_name,
                    place=self._place(conversation, people[conversation.id]),
                    seq=message.seq,
                    sender=user.name if user else (message.sender_name or "Somebody"),
                    content=message.content,
                    created_at=message.created_at,
                )
                for message, user, conversation in rows
            ]

    def find_person(self, words: Sequence[str]) -> Person | None:
        """Find the person whose username, or a part of whose name, is among the words."""
        lowered = [word.lower() for word in words if "\0" not in word][:WORDS]
        with self._app.app_context():
            names: list[ColumnElement[bool]] = [User.username.in_(lowered), func.lower(User.name).in_(lowered)]
            names += [func.lower(User.name).startswith(f"{word} ", autoescape=True) for word in lowered]
            user = db.session.scalars(select(User).where(or_(*names)).order_by(User.id).limit(1)).one_or_none()
            return None if user is None else Person.of(user)

    def _query(self, session: Session, words: Sequence[str], sender: str | None) -> Select[Message, User, Conversation]:
        matches = [_contains(word) for word in words]
        rank = sum((case((match, 1), else_=0) for match in matches), literal(0))
        newest = session.scalars(select(func.max(Message.id))).one() or 0
        query = (
            select(Message, User, Conversation)
            .join(Conversation, Conversation.id == Message.conversation_id)
            .outerjoin(User, User.id == Message.sender_id)
            .where(
                Message.id > newest - LOOKED_AT,
                Message.deleted_at.is_(None),
                Message.sender_type != "assistant",
                or_(Message.conversation_id != self._conversation.id, Message.seq != self._question),
                self._is_open(session),
            )
            .order_by(rank.desc(), Message.id.desc())
        )
        if words:
            query = query.where(or_(*matches))
        return query if sender is None else query.where(User.username == sender)

    def _is_open(self, session: Session) -> ColumnElement[bool]:
        is_member = exists().where(
            Membership.conversation_id == Conversation.id, Membership.user_id == self._asker.user_id
        )
        is_shared = SharedAssistant.condition()
        if self._is_private and session.get(ShareLink, self._conversation.id) is None:
            return or_(is_member, is_shared)
        is_for_all = or_(
            Conversation.id == self._conversation.id, General.condition(), Conversation.visibility == "open"
        )
        return or_(is_shared, and_(is_member, is_for_all))

    def _place(self, conversation: Conversation, people: Sequence[Person]) -> str:
        if conversation.kind == "direct":
            return direct_title(people, self._asker.user_id)
        return conversation_title(conversation)


def _contains(word: str) -> ColumnElement[bool]:
    # SQLite knows capitals of ASCII alone: other words are looked for in the ways they are usually written.
    spellings = {word} if word.isascii() else {word, word.lower(), word.upper(), word.capitalize()}
    return or_(*(Message.content.icontains(spelling, autoescape=True) for spelling in sorted(spellings)))
