"""Search of the messages that an assistant may use: those that the asker and all readers of the answer may read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import Flask
from sqlalchemy import ColumnElement, Row, Select, and_, case, exists, func, literal, or_, select
from sqlalchemy.orm import Session

from chatapp.actors import Actor, find_active_actors
from chatapp.concurrency.native import current_pools
from chatapp.conversations.kinds import General, SharedAssistant
from chatapp.conversations.people import Person
from chatapp.conversations.queries import is_public, list_title_people
from chatapp.conversations.refs import ConversationRef
from chatapp.extensions import db
from chatapp.models import Conversation, Membership, Message, User
from chatapp.presentation.kinds import page_of
from chatapp.storage import read_from_replica

MAX_SEARCHED_MESSAGES = 20_000
"""Only the newest messages are searched, so that the cost of a search does not grow with the history."""

MAX_WORDS = 12
"""Further words of a search are ignored."""


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """A message that was found."""

    conversation: ConversationRef
    conversation_title: str
    seq: int
    sender: str
    content: str
    created_at: datetime
    is_from_here: bool
    """Whether it is a message of the conversation in which the question was asked."""


class MessageSearch:
    """Searches messages for one question.

    In an assistant session only the asker reads the answer, so that everything the asker may read is searched. In a
    conversation with other readers the answer must not reveal what is in the asker's direct conversations and private
    rooms: there the search is limited to open conversations and the conversation itself. With a public link everybody
    reads the answer: then only the conversation itself is searched.
    """

    def __init__(
        self, app: Flask, asker: Actor, conversation: ConversationRef, question_seq: int, *, is_private: bool
    ) -> None:
        self._app = app
        self._asker = asker
        self._conversation = conversation
        self._question_seq = question_seq
        self._is_private = is_private

    def find_messages(
        self, words: Sequence[str], *, sender: str | None = None, limit: int = 5
    ) -> Sequence[FoundMessage]:
        """Find messages that contain at least one of the words, those with the most words first, then the newest.

        With the username `sender`, find only messages of that user; all of them if there are no words.
        """
        searched_words = _clean(words)
        if not searched_words and sender is None:
            return []
        with self._app.app_context():
            session = db.session()
            if not find_active_actors(session, [self._asker]):
                return []
            query = self._select(session, searched_words, sender).limit(limit)
            rows = read_from_replica(
                session,
                lambda reading: reading.execute(query).all(),
                pool=current_pools().searches,
                accepts=lambda rows: self._are_readable(session, rows),
            )
            people = list_title_people(session, [conversation for _, _, conversation in rows])
            return [
                FoundMessage(
                    conversation=ConversationRef.of(conversation),
                    conversation_title=page_of(
                        conversation, people.get(conversation.id, ()), self._asker.user_id
                    ).title,
                    seq=message.seq,
                    sender=user.name if user else (message.sender_name or "Somebody"),
                    content=message.content,
                    created_at=message.created_at,
                    is_from_here=conversation.id == self._conversation.id,
                )
                for message, user, conversation in rows
            ]

    def find_person(self, words: Sequence[str]) -> Person | None:
        """Find a user whose username, name or first name is one of the words.

        In a conversation with a public link, find only users who have written in it.
        """
        lowered = [word.lower() for word in _clean(words)]
        with self._app.app_context():
            matches: list[ColumnElement[bool]] = [User.username.in_(lowered), func.lower(User.name).in_(lowered)]
            matches += [func.lower(User.name).startswith(f"{word} ", autoescape=True) for word in lowered]
            query = select(User).where(or_(*matches)).order_by(User.id).limit(1)
            if is_public(db.session(), self._conversation.id):
                query = query.where(
                    exists().where(
                        Message.conversation_id == self._conversation.id,
                        Message.sender_id == User.id,
                        Message.deleted_at.is_(None),
                    )
                )
            user = db.session.scalars(query).one_or_none()
            return None if user is None else Person.of(user)

    def _select(
        self, session: Session, words: Sequence[str], sender: str | None
    ) -> Select[Message, User, Conversation]:
        matches = [_contains(word) for word in words]
        rank = sum((case((match, 1), else_=0) for match in matches), literal(0))
        newest = session.scalars(select(func.max(Message.id))).one() or 0
        query = (
            select(Message, User, Conversation)
            .join(Conversation, Conversation.id == Message.conversation_id)
            .outerjoin(User, User.id == Message.sender_id)
            .where(
                Message.id > newest - MAX_SEARCHED_MESSAGES,
                Message.deleted_at.is_(None),
                Message.sender_type != "assistant",
                or_(Message.conversation_id != self._conversation.id, Message.seq != self._question_seq),
                self._is_readable(session),
            )
            .order_by(rank.desc(), Message.id.desc())
        )
        if words:
            query = query.where(or_(*matches))
        return query if sender is None else query.where(User.username == sender)

    def _are_readable(self, session: Session, rows: Sequence[Row[Message, User, Conversation]]) -> bool:
        """Return whether the primary database agrees that all that the replica has found may be read."""
        ids = {conversation.id for _, _, conversation in rows}
        readable = select(Conversation.id).where(Conversation.id.in_(ids), self._is_readable(session))
        return ids == set(session.scalars(readable))

    def _is_readable(self, session: Session) -> ColumnElement[bool]:
        is_member = exists().where(
            Membership.conversation_id == Conversation.id, Membership.user_id == self._asker.user_id
        )
        is_shared = SharedAssistant.condition()
        if is_public(session, self._conversation.id):
            return and_(or_(is_shared, is_member), Conversation.id == self._conversation.id)
        if self._is_private:
            return or_(is_member, is_shared)
        is_readable_by_all = or_(
            Conversation.id == self._conversation.id, General.condition(), Conversation.visibility == "open"
        )
        return or_(is_shared, and_(is_member, is_readable_by_all))


def _clean(words: Sequence[str]) -> Sequence[str]:
    # PostgreSQL accepts no NUL in a query.
    return [word for word in words if "\0" not in word][:MAX_WORDS]


def _contains(word: str) -> ColumnElement[bool]:
    # SQLite ignores case for ASCII only. Other words are searched in their usual spellings.
    spellings = {word} if word.isascii() else {word, word.lower(), word.upper(), word.capitalize()}
    return or_(*(Message.content.icontains(spelling, autoescape=True) for spelling in sorted(spellings)))
