"""Events of threads, and the news of replies to the people who follow them."""

import threading

from flask import Flask

from chatapp.conversations.refs import ConversationRef, parse_ref
from chatapp.extensions import db
from chatapp.presentation.threads import present_thread_state
from chatapp.realtime.application import Realtime
from chatapp.realtime.channels import user_channel
from chatapp.realtime.handlers import Ack, Caller, EventNumber, Payload, handles
from chatapp.timeline import TimelineMessage
from chatapp.timeline.thread_members import follow_thread, list_follower_states, mark_thread_read
from chatapp.timeline.threads import ThreadState


class FollowPayload(Payload):
    """Payload of `follow_thread`."""

    conversation: object
    thread: EventNumber
    on: bool = True


class ReadPayload(Payload):
    """Payload of `mark_thread_read`."""

    conversation: object
    thread: EventNumber
    seq: EventNumber


@handles("follow_thread", FollowPayload)
def follow(caller: Caller, payload: FollowPayload) -> Ack:
    """Follow a thread, or no longer."""
    ref = parse_ref(payload.conversation)
    return present_thread_state(follow_thread(ref, caller.user.actor, payload.thread, on=payload.on))


@handles("mark_thread_read", ReadPayload)
def mark_read(caller: Caller, payload: ReadPayload) -> Ack:
    """Mark a reply in a thread, and all before it, as read."""
    ref = parse_ref(payload.conversation)
    return present_thread_state(mark_thread_read(ref, caller.user.actor, payload.thread, payload.seq))


class ThreadNews:
    """Tells the sockets of this process about new replies in the threads that their users follow.

    The unread counts of a thread with many followers take a moment: the broadcast of the reply does not wait for them.
    """

    def __init__(self, app: Flask, realtime: Realtime) -> None:
        self._app = app
        self._server = realtime.server
        self._connections = realtime.connections
        self._waiting: dict[tuple[ConversationRef, int], None] = {}
        """Threads with new replies. One that gets several meanwhile is told about once."""
        self._is_filled = threading.Event()

    def add(self, message: TimelineMessage) -> None:
        """Tell about a reply that was broadcast, if the message is one."""
        if message.thread_root is not None and message.seq is not None:
            self._waiting[message.conversation, message.thread_root] = None
            self._is_filled.set()

    def run(self) -> None:
        """Tell about what is added, forever."""
        while True:
            self._is_filled.wait()
            self._is_filled.clear()
            while self._waiting:
                self.tell_next()

    def tell_next(self) -> None:
        """Emit the states of the thread that waits longest."""
        ref, root = next(iter(self._waiting))
        del self._waiting[ref, root]
        with self._app.app_context():
            states = list_follower_states(db.session(), ref, root)
        for state in states:
            self.broadcast(state)

    def broadcast(self, state: ThreadState) -> None:
        """Emit the state of a thread to the user's own sockets."""
        channel = user_channel(state.user_id)
        if self._connections.has_sockets(channel):
            self._server.emit("thread_changed", present_thread_state(state), to=channel)
