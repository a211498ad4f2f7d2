"""Presence: who is online, away or offline.

It lives in memory, so no crash leaves anybody behind. A person is online if one of their sockets is, away if all of
them are. Changes are gathered for a second and told in one event: five hundred who come at once make a few of them.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Literal

from chatapp.extensions import socketio
from chatapp.realtime.handlers import Caller, Payload, handles

PERIOD = 1.0
"""Seconds between two looks at what has changed."""

GRACE = 3.0
"""Seconds that somebody without a socket still counts as there: a page that is loaded again is not gone."""

REMOTE_LIFETIME = 15.0
"""Seconds after which what another process has said is worth nothing any more: it has crashed, or nobody hears it."""

Picture = dict[int, str]
"""People who are not offline, and how they are."""


class Presence:
    """How people are, as this process sees them."""

    def __init__(self) -> None:
        self._sockets: dict[str, tuple[int, str]] = {}
        self._remote: dict[str, tuple[float, Picture]] = {}
        self._shown: Picture = {}
        self._last_seen: dict[int, float] = {}

    def enter(self, sid: str, user_id: int) -> None:
        """Count a new socket, and show it everybody who is there."""
        self._sockets[sid] = (user_id, "online")
        socketio.emit("presence", {"people": _present(self._shown | {user_id: "online"}), "whole": True}, to=sid)

    def set_state(self, sid: str, state: str) -> None:
        """Take over what a socket's page says."""
        if sid in self._sockets:
            self._sockets[sid] = (self._sockets[sid][0], state)

    def leave(self, sid: str) -> None:
        """Forget a socket that is gone."""
        self._sockets.pop(sid, None)

    def local_picture(self) -> Picture:
        """Give how the people are who are connected to this process."""
        return _merge(list(self._sockets.values()))

    def hear(self, process: str, picture: Picture) -> None:
        """Take over another process' picture."""
        self._remote[process] = (time.monotonic(), picture)

    def tell_changes(self) -> None:
        """Emit to everybody what is otherwise than they were told."""
        now = time.monotonic()
        self._remote = {key: each for key, each in self._remote.items() if each[0] > now - REMOTE_LIFETIME}
        pictures = [self.local_picture(), *(picture for _, picture in self._remote.values())]
        current = _merge(person for picture in pictures for person in picture.items())
        self._last_seen |= dict.fromkeys(current, now)
        gone = {user_id for user_id, seen in self._last_seen.items() if seen <= now - GRACE}
        kept = {user_id: state for user_id, state in self._shown.items() if user_id not in gone | current.keys()}
        after = kept | current
        changed = {user_id: state for user_id, state in after.items() if self._shown.get(user_id) != state}
        changed |= dict.fromkeys(self._shown.keys() - after.keys(), "offline")
        self._shown = after
        for user_id in gone:
            del self._last_seen[user_id]
        if changed:
            socketio.emit("presence", {"people": _present(changed), "whole": False})


presence = Presence()


class PresencePayload(Payload):
    """Payload of `presence`."""

    state: Literal["online", "away"]


@handles("presence", PresencePayload)
def take_presence(caller: Caller, payload: PresencePayload) -> None:
    """Take over whether somebody looks at a page."""
    presence.set_state(caller.sid, payload.state)


def _merge(people: Iterable[tuple[int, str]]) -> Picture:
    merged: Picture = {}
    for user_id, state in people:
        if merged.get(user_id) != "online":
            merged[user_id] = state
    return merged


def _present(picture: Mapping[int, str]) -> dict[str, str]:
    return {str(user_id): state for user_id, state in picture.items()}
