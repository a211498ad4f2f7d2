"""The one that emits what the core announces.

The writer announces in the order of its commits, on one thread, so a conversation's events leave in the order of their
numbers. Where several processes write, each reads from the database what the others have written, and puts it into its
place: it knows how far each conversation was told. What a listener misses all the same it finds out by the next event's
number, or by the beacon.
"""

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from flask import Flask

from chatapp.accounts.signals import login_sessions_revoked
from chatapp.actors import find_active_actors
from chatapp.conversations.kinds import kind_of
from chatapp.conversations.names import parse_name
from chatapp.conversations.queries import find_accesses, get_revocation_count
from chatapp.conversations.signals import MembershipRevoked, membership_revoked, sidebar_changed
from chatapp.errors import InvalidConversation
from chatapp.extensions import db, socketio
from chatapp.identity import AuthenticatedUser
from chatapp.models import Conversation
from chatapp.presentation.messages import present_backlog, present_message, present_news
from chatapp.presentation.read_state import present_read_receipt, present_read_state
from chatapp.realtime.connection import (
    disconnect_login_sessions,
    find_person,
    list_people_here,
    list_sockets,
    remove_from_conversation,
    user_channel,
)
from chatapp.realtime.news import PREFIX, follow_news, news_channel
from chatapp.realtime.typing import Typing, typed
from chatapp.timeline import Head, TimelineMessage, list_heads
from chatapp.timeline.epoch import get_epoch
from chatapp.timeline.read_state import ReadReceiptChanged, ReadState
from chatapp.timeline.reading import list_events
from chatapp.timeline.signals import (
    Refusal,
    backlog_changed,
    message_changed,
    message_pending,
    message_posted,
    message_refused,
    message_saved,
    read_receipt_changed,
    read_state_changed,
    timeline_trimmed,
)
from chatapp.timeline.writer import Backlog

_told: dict[str, int] = {}
"""The event up to which this process' sockets were told of each conversation, as far as that is known."""


def begin_telling(conversation: str, last_event: int) -> None:
    """Note that a socket has joined a conversation and knows it up to an event: what follows is to be told."""
    _told.setdefault(conversation, last_event)


class Broadcaster:
    """Brings what is committed to the sockets that listen in this process."""

    def __init__(self, app: Flask, *, is_alone: bool) -> None:
        self._app = app
        self._is_alone = is_alone
        self._telling = threading.RLock()
        message_posted.connect(self.tell_posted)
        message_changed.connect(self.tell_changed)
        typed.connect(self.tell_typing)
        message_pending.connect(self.tell_pending)
        message_saved.connect(self.tell_saved)
        message_refused.connect(self.tell_refused)
        timeline_trimmed.connect(self.tell_trimmed)
        backlog_changed.connect(self.tell_backlog)
        read_state_changed.connect(self.tell_read)
        read_receipt_changed.connect(self.tell_reader)
        sidebar_changed.connect(self.follow_news)
        self._endings = 0
        """Sign-ins and memberships that this process has ended."""
        self._endings_elsewhere: int | None = None
        login_sessions_revoked.connect(self._count_ending)
        membership_revoked.connect(self._count_ending)

    def tell_posted(self, message: TimelineMessage) -> None:
        """Emit a new message to everybody in its conversation, and to the others that there is one."""
        with self._in_order(message) as is_new:
            if is_new:
                self._emit_posted(message)

    def _emit_posted(self, message: TimelineMessage) -> None:
        self.tell_pending(message)
        socketio.emit("news", present_news(message), to=news_channel(message.conversation.wire_name))

    def hear_of(self, conversation: str, version: int) -> None:
        """Emit what another process has written to a conversation, up to the event `version` at least."""
        with self._telling:
            if not _listeners(conversation):
                _told[conversation] = max(_told.get(conversation, 0), version)
            elif _told.setdefault(conversation, version - 1) < version:
                self._read_up(conversation)

    @contextmanager
    def _in_order(self, message: TimelineMessage) -> Iterator[bool]:
        """Emit first what lies before this event, and say whether it was itself among that."""
        if self._is_alone or message.version is None:
            yield True
            return
        with self._telling:
            conversation = message.conversation.wire_name
            self._turn_out(conversation)
            told = _told.get(conversation, message.version - 1)
            if told < message.version - 1:
                _told[conversation] = told
                self._read_up(conversation)
                told = _told[conversation]
            yield told < message.version
            _told[conversation] = max(told, message.version)

    def _read_up(self, conversation: str) -> None:
        """Emit what the database has after what was told."""
        self._turn_out(conversation)
        with self._app.app_context():
            told = _told[conversation]
            row = db.session.get_one(Conversation, parse_name(conversation).id)
            while messages := list_events(db.session(), row, after=_told[conversation]):
                for message in messages:
                    if message.seq is not None and message.seq > told:
                        self._emit_posted(message)
                    else:
                        socketio.emit("message_changed", present_message(message), to=conversation)
                    _told[conversation] = message.version or told

    def check_revocations(self) -> None:
        """Let nobody hear more whose sign-in or membership another process has ended: one of ours, or the shell.

        What this process has ended itself it hears of at once, and need not look for.
        """
        with self._app.app_context():
            elsewhere = get_revocation_count(db.session()) - self._endings
        if elsewhere == self._endings_elsewhere:
            return
        self._turn_out_signed_out(list_people_here())
        for conversation in listened_conversations(with_news=True):
            self._turn_out_removed(conversation, _find_people(conversation))
        # Only now: if the database went away meanwhile, the next look finds them.
        self._endings_elsewhere = elsewhere

    def _count_ending(self, _ended: object) -> None:
        self._endings += 1

    def _turn_out_signed_out(self, people: Collection[AuthenticatedUser]) -> None:
        with self._app.app_context():
            signed_in = find_active_actors(db.session(), {person.actor for person in people})
        disconnect_login_sessions(
            sorted({person.login_session_id for person in people if person.actor not in signed_in})
        )

    def _turn_out(self, conversation: str) -> None:
        """Let nobody hear more whose sign-in or membership another process has ended.

        The other one tells so through Redis, which may be away.
        """
        people = _find_people(conversation)
        self._turn_out_signed_out(people)
        self._turn_out_removed(conversation, people)

    def _turn_out_removed(self, conversation: str, people: Collection[AuthenticatedUser]) -> None:
        name = parse_name(conversation)
        with self._app.app_context():
            places = find_accesses(db.session(), {(name.id, person.id) for person in people})
            here = db.session.get(Conversation, name.id)
            needs_membership = here is None or not kind_of(here).is_open_to_all
        if needs_membership:
            for user_id in {person.id for person in people} - {user_id for _, user_id in places}:
                remove_from_conversation(MembershipRevoked(conversation, user_id))

    def tell_pending(self, message: TimelineMessage) -> None:
        """Emit a message that waits for the database to everybody in its conversation."""
        with self._app.app_context():
            socketio.emit("chat_message", present_message(message), to=message.conversation.wire_name)

    def tell_changed(self, message: TimelineMessage) -> None:
        """Emit what a message is now."""
        with self._in_order(message) as is_new, self._app.app_context():
            if is_new:
                socketio.emit("message_changed", present_message(message), to=message.conversation.wire_name)

    def tell_saved(self, message: TimelineMessage) -> None:
        """Emit what a message that waited has become."""
        with self._in_order(message), self._app.app_context():
            socketio.emit("news", present_news(message), to=news_channel(message.conversation.wire_name))
            sender_id = message.sender and message.sender.id
            conversation = message.conversation.wire_name
            key = {"conversation": conversation, "sender_id": sender_id, "client_id": message.client_id}
            socketio.emit("message_saved", {**key, "message": present_message(message)}, to=conversation)

    def tell_refused(self, refusal: Refusal) -> None:
        """Emit that a message that waited will not stand in its conversation."""
        error = {"code": "conflict", "message": refusal.reason}
        conversation = refusal.conversation.wire_name
        key = {"conversation": conversation, "sender_id": refusal.sender_id, "client_id": refusal.client_id}
        socketio.emit("message_saved", {**key, "message": None, "error": error}, to=conversation)

    def tell_backlog(self, backlog: Backlog) -> None:
        """Let every page say that messages wait to be saved, or that they no longer do."""
        socketio.emit("backlog", present_backlog(backlog))

    def tell_read(self, state: ReadState) -> None:
        """Emit a person's counts to all of their own pages."""
        socketio.emit("unread_changed", present_read_state(state), to=user_channel(state.user_id))

    def tell_reader(self, moved: ReadReceiptChanged) -> None:
        """Emit how far somebody has read."""
        told = {"conversation": moved.conversation.wire_name, "reader": present_read_receipt(moved.reader)}
        socketio.emit("messages_read", told, to=moved.conversation.wire_name)

    def tell_typing(self, typing: Typing) -> None:
        """Emit who is writing, to the others."""
        person = typing.person
        socketio.emit(
            "typing",
            {"conversation": typing.conversation, "user": {"id": person.id, "name": person.name}},
            to=typing.conversation,
            skip_sid=list_sockets(user_channel(person.id)),
        )

    def follow_news(self, user_ids: Sequence[int]) -> None:
        """Let people's sockets hear of what is new in the conversations that they are in now."""
        with self._app.app_context():
            for user_id in user_ids:
                if sids := list_sockets(user_channel(user_id)):
                    follow_news(user_id, sids)

    def tell_trimmed(self, head: Head) -> None:
        """Let pages drop what a cleanup removed."""
        with self._app.app_context():
            self._emit_heads([head])

    def beat(self) -> None:
        """Tell the heads of the conversations that somebody here listens to: whoever missed the last event sees it.

        What other processes have written is told first, in case that a wake-up was lost.
        """
        with self._app.app_context():
            if not self._is_alone:
                self._catch_up()
            self._emit_heads(list_heads(db.session(), listened_conversation_ids()))

    def _catch_up(self) -> None:
        for head in list_heads(db.session(), listened_conversation_ids(with_news=True)):
            # What was said before this process looked for the first time is no news.
            _told.setdefault(head.conversation.wire_name, head.last_event)
            self.hear_of(head.conversation.wire_name, head.last_event)

    @staticmethod
    def _emit_heads(heads: Sequence[Head]) -> None:
        if not heads:
            return
        epoch = get_epoch(db.session())
        for head in heads:
            numbers = {"last_event": head.last_event, "floor": head.floor}
            told = {"epoch": epoch, "conversations": {head.conversation.wire_name: numbers}}
            socketio.emit("heads", told, to=head.conversation.wire_name)


def _listeners(conversation: str) -> list[str]:
    """List this process' sockets that hear a conversation, or its news."""
    return [*list_sockets(conversation), *list_sockets(news_channel(conversation))]


def _find_people(conversation: str) -> list[AuthenticatedUser]:
    """List who is at the other end of the sockets that hear a conversation, or its news."""
    return [person for sid in _listeners(conversation) if (person := find_person(sid)) is not None]


def listened_conversation_ids(*, with_news: bool = False) -> list[int]:
    """List the conversations that this process' sockets have joined; also those of which they only hear news."""
    return [parse_name(name).id for name in listened_conversations(with_news=with_news)]


def listened_conversations(*, with_news: bool) -> list[str]:
    """List the names of the conversations that this process' sockets have joined; also those with news alone."""
    found = set()
    for channel in list(socketio.server.manager.rooms.get("/", {})):
        try:
            found.add(parse_name(str(channel).removeprefix(PREFIX) if with_news else channel).wire_name)
        except InvalidConversation:
            continue  # The channel of a person, a sign-in or a socket.
    return sorted(found)
