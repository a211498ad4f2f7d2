"""Presence: whether a user is online, away or offline.

It is kept in memory, so a crash leaves nobody online. A user is online if one of their sockets is, away if all of them
are. The changes of each second are broadcast in one event, so five hundred users who connect at once cause few events.
"""

import time
from collections.abc import Iterable, Mapping

from socketio import Server

from chatapp.realtime.channels import EVERYONE

BROADCAST_SECONDS = 1.0
"""Interval at which changes are broadcast."""

GRACE_SECONDS = 3.0
"""Time after which a user without a socket is offline, so that reloading a page changes nothing."""

REMOTE_LIFETIME_SECONDS = 15.0
"""Age at which the states of another process are discarded: it has crashed, or the bus is down."""

UserStates = dict[int, str]
"""The state, `online` or `away`, of each user who is not offline."""


class Presence:
    """Presence of the users of one application."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._sockets: dict[str, tuple[int, str]] = {}
        self._remote: dict[str, tuple[float, UserStates]] = {}
        """Time of reception and states of each other process."""
        self._broadcast: UserStates = {}
        """The states that were last broadcast."""
        self._presented: dict[str, str] = {}
        """The same as sockets receive them."""
        self._last_seen: dict[int, float] = {}

    def add(self, sid: str, user_id: int) -> None:
        """Add a new socket, and send it the state of all users."""
        self._sockets[sid] = (user_id, "online")
        people = self._presented | {str(user_id): "online"}
        self._server.emit("presence", {"people": people, "whole": True}, to=sid)

    def set_state(self, sid: str, state: str) -> None:
        """Store the state that a socket's page reports."""
        if sid in self._sockets:
            self._sockets[sid] = (self._sockets[sid][0], state)

    def remove(self, sid: str) -> None:
        """Forget a closed socket."""
        self._sockets.pop(sid, None)

    def count_people(self) -> int:
        """Return the number of users who are online or away, at any process."""
        return len(self._broadcast)

    def local_states(self) -> UserStates:
        """Return the state of the users who are connected to this process."""
        return _merge(list(self._sockets.values()))

    def set_remote_states(self, process: str, states: UserStates) -> None:
        """Store the states that another process has published."""
        self._remote[process] = (time.monotonic(), states)

    def broadcast_changes(self) -> None:
        """Emit what has changed since the last broadcast to all sockets."""
        now = time.monotonic()
        self._remote = {
            process: (received_at, states)
            for process, (received_at, states) in self._remote.items()
            if received_at > now - REMOTE_LIFETIME_SECONDS
        }
        by_process = [self.local_states(), *(states for _, states in self._remote.values())]
        current = _merge(item for states in by_process for item in states.items())
        self._last_seen |= dict.fromkeys(current, now)
        gone = {user_id for user_id, seen_at in self._last_seen.items() if seen_at <= now - GRACE_SECONDS}
        kept = {user_id: state for user_id, state in self._broadcast.items() if user_id not in gone | current.keys()}
        after = kept | current
        changed = {user_id: state for user_id, state in after.items() if self._broadcast.get(user_id) != state}
        changed |= dict.fromkeys(self._broadcast.keys() - after.keys(), "offline")
        self._broadcast, self._presented = after, _present(after)
        for user_id in gone:
            del self._last_seen[user_id]
        if changed:
            self._server.emit("presence", {"people": _present(changed), "whole": False}, to=EVERYONE)


def _merge(states: Iterable[tuple[int, str]]) -> UserStates:
    merged: UserStates = {}
    for user_id, state in states:
        if merged.get(user_id) != "online":
            merged[user_id] = state
    return merged


def _present(states: Mapping[int, str]) -> dict[str, str]:
    return {str(user_id): state for user_id, state in states.items()}
