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
from chatapp.timeline.thread_markers import mark_thread_read
from chatapp.timeline.thread_members import follow_thread, list_follower_states, mark_thread_unread
from chatapp.timeline.threads import ThreadState


class FollowPayload(Payload):
    """Payload of `follow_thread`."""

    conversation: object
    thread: EventNumber
    on: bool = True


class ReadPayload(Payload):
    """Payload of `mark_thread_read` and `mark_thread_unread`."""

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


@handles("mark_thread_unread", ReadPayload)
def mark_unread(caller: Caller, payload: ReadPayload) -> Ack:
    """Mark a reply in a thread, and all after it, as unread."""
    ref = parse_ref(payload.conversation)
    return present_thread_state(mark_thread_unread(ref, caller.user.actor, payload.thread, payload.seq))


class ThreadStateBroadcaster:
    """Sends thread states to followers who are connected to this process, after new replies.

    Counting the unread replies of many followers takes time, so it runs after the broadcast of the reply.
    """

    def __init__(self, app: Flask, realtime: Realtime) -> None:
        self._app = app
        self._server = realtime.server
        self._connections = realtime.connections
        self._waiting: dict[tuple[ConversationRef, int], None] = {}
        """Threads with new replies, oldest first. Replies that arrive meanwhile are coalesced."""
        self._is_filled = threading.Event()

    def add(self, message: TimelineMessage) -> None:
        """Queue the thread of a broadcast message, if it is a reply in one."""
        if message.thread_root is not None and message.seq is not None:
            self._waiting[message.conversation, message.thread_root] = None
            self._is_filled.set()

    def run(self) -> None:
        """Process the queue, forever."""
        while True:
            # Not only what is added from now on: an error may have ended this before, with threads that waited.
            while self._waiting:
                self.broadcast_next()
            self._is_filled.wait()
            self._is_filled.clear()

    def broadcast_next(self) -> None:
        """Broadcast the states of the thread that has waited longest."""
        ref, root = next(iter(self._waiting))
        del self._waiting[ref, root]
        with self._app.app_context():
            states = list_follower_states(db.session(), ref, root, self._is_connected)
        for state in states:
            self.broadcast(state)

    def broadcast(self, state: ThreadState) -> None:
        """Emit the state of a thread to the user's own sockets."""
        if self._is_connected(state.user_id):
            self._server.emit("thread_changed", present_thread_state(state), to=user_channel(state.user_id))

    def _is_connected(self, user_id: int) -> bool:
        return self._connections.has_sockets(user_channel(user_id))
