"""Search of the messages that an assistant may use: those that the asker and all readers of the answer may read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from flask import Flask
from sqlalchemy import ColumnElement, exists, func, or_, select

from chatapp.actors import Actor, find_active_actors
from chatapp.conversations.kinds import kind_of
from chatapp.conversations.people import Person
from chatapp.conversations.queries import ReadableConversation, is_public
from chatapp.conversations.refs import ConversationRef
from chatapp.extensions import db
from chatapp.models import Conversation, Message, User
from chatapp.presentation.kinds import pages_of
from chatapp.search.excerpts import count_terms
from chatapp.search.query import Filter, Query, make_term
from chatapp.timeline import TimelineMessage
from chatapp.timeline.search import run_query

MAX_WORDS = 12
"""Further words of a search are ignored."""

MAX_PARTIAL_MATCHES = 50
"""Number of the newest messages with some of the words among which those with most of them are chosen."""


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
        self,
        app: Flask,
        asker: Actor,
        conversation: ConversationRef,
        question_seq: int,
        *,
        is_private: bool,
        assistant: str,
    ) -> None:
        """`assistant` is the title of the one that searches: its own answers, which quote others, are not found."""
        self._app = app
        self._asker = asker
        self._conversation = conversation
        self._question_seq = question_seq
        self._is_private = is_private
        self._assistant = assistant

    def find_messages(self, words: Sequence[str], query: Query, *, limit: int = 5) -> Sequence[FoundMessage]:
        """Find messages with all of the words, then those with most of them, the newest first.

        The filters of the query apply. Without words, find all messages that they select.
        """
        terms = [term for word in words[:MAX_WORDS] if (term := make_term(word, is_prefix=True))]
        with self._app.app_context():
            if not find_active_actors(db.session(), [self._asker]):
                return []
            found = self._find(replace(query, terms=[*query.terms, *terms]), limit)
            if len(found) < limit and len(terms) > 1:
                any_term = tuple(phrase for term in terms for phrase in term)
                partial = self._find(replace(query, terms=[*query.terms, any_term]), MAX_PARTIAL_MATCHES)
                known = {message.id for message in found}
                others = [message for message in partial if message.id not in known]
                counts = count_terms((message.content for message in others), terms)
                order = sorted(range(len(others)), key=lambda index: -counts[index])
                found += [others[index] for index in order]
            return self._present(found[:limit])

    def find_person(self, words: Sequence[str]) -> Person | None:
        """Find a user whose username, name or first name is one of the words.

        In a conversation with a public link, find only users who have written in it.
        """
        lowered = [word.lower() for word in words[:MAX_WORDS]]
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

    def _find(self, query: Query, limit: int) -> list[TimelineMessage]:
        others = replace(query, filters=[*query.filters, Filter("from", self._assistant, is_excluded=True)])
        # One more: the question is left out.
        hits = run_query(self._asker, others, limit=limit + 1, includes=self._make_condition())
        messages = [hit.message for hit in hits.hits]
        return [
            message
            for message in messages
            if message.conversation != self._conversation or message.seq != self._question_seq
        ][:limit]

    def _make_condition(self) -> Callable[[ReadableConversation], bool]:
        """Return the condition on the conversations that the asker may read: all readers of the answer may, too."""
        own_id = self._conversation.id
        if is_public(db.session(), own_id):
            return lambda conversation: conversation.id == own_id
        if self._is_private:
            return lambda _conversation: True
        return lambda conversation: (
            conversation.id == own_id or kind_of(conversation).is_open_to_all or not conversation.is_private
        )

    def _present(self, messages: Sequence[TimelineMessage]) -> Sequence[FoundMessage]:
        session = db.session()
        ids = {message.conversation.id for message in messages}
        conversations = session.scalars(select(Conversation).where(Conversation.id.in_(ids))).all()
        pages = pages_of(session, conversations, self._asker.user_id)
        titles = {each.id: page.title for each, page in zip(conversations, pages, strict=True)}
        return [
            FoundMessage(
                conversation=message.conversation,
                conversation_title=titles[message.conversation.id],
                seq=message.seq or 0,
                sender=message.sender.name if message.sender else (message.sender_name or "Somebody"),
                content=message.content,
                created_at=message.created_at,
                is_from_here=message.conversation == self._conversation,
            )
            for message in messages
            if message.conversation.id in titles
        ]
