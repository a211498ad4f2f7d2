"""Eviction: closes or removes sockets whose login session or membership was revoked, by this or another process.

Changes of custom emoji by other processes are found with the revocations.
"""

import time
from collections.abc import Collection, Iterable, Mapping

from flask import Flask
from sqlalchemy import select

from chatapp.accounts.signals import login_sessions_revoked
from chatapp.actors import find_active_actors
from chatapp.conversations.kinds import kind_of
from chatapp.conversations.queries import find_accesses
from chatapp.conversations.refs import parse_ref
from chatapp.conversations.signals import MembershipRevoked, membership_revoked
from chatapp.extensions import db
from chatapp.identity import AuthenticatedUser
from chatapp.models import Conversation
from chatapp.presentation.loading import load_images
from chatapp.realtime.application import Realtime
from chatapp.realtime.channels import login_session_channel, news_channel, posters_channel, user_channel
from chatapp.realtime.connections import parse_refs
from chatapp.revocations import LastRevocation, get_last_revocation, revocation_handled
from chatapp.timeline.signals import epoch_renewed

REFRESH_SECONDS = 30.0
"""Interval at which the logins and permissions of open sockets are remembered anew, for an outage of the database."""

REFRESH_BATCH = 200
"""Number of sockets that are remembered before other work runs."""

MEMBERSHIPS_PER_QUERY = 1_000


class Evictor:
    """Evicts the sockets of one process.

    Revocations of this process are received as signals. Those of other processes and of the command line are found by
    the number of the last revocation in the database, which is compared with the last one that was handled. In a new
    epoch all users are checked.
    """

    def __init__(self, app: Flask, realtime: Realtime) -> None:
        self._app = app
        self._server = realtime.server
        self._connections = realtime.connections
        self._positions = realtime.positions
        self._signals = realtime.signals
        self._last_handled: LastRevocation | None = None
        """All revocations up to this one were handled; None before the first check."""
        self._fallback = realtime.fallback
        self._fallback.start()
        self._refreshed_at = float("-inf")
        realtime.signals.connect(login_sessions_revoked, self.evict_login_sessions)
        realtime.signals.connect(membership_revoked, self.evict_member)
        realtime.signals.connect(revocation_handled, self._on_revocation_handled)

    def evict_login_sessions(self, login_session_ids: Collection[int]) -> None:
        """Close the sockets of login sessions."""
        self._fallback.revoke_logins(login_session_ids)
        for login_session_id in login_session_ids:
            for sid in self._connections.list_sids(login_session_channel(login_session_id)):
                self._server.emit("signed_out", {}, to=sid)
                self._server.disconnect(sid)

    def evict_member(self, revoked: MembershipRevoked) -> None:
        """Remove a user's sockets from a conversation. A socket is notified once, however many checks find it."""
        self._fallback.revoke_access(revoked.user_id, revoked.conversation)
        wire_name = revoked.conversation.wire_name
        channels = {wire_name, news_channel(wire_name)}
        for sid in self._connections.list_sids(user_channel(revoked.user_id)):
            joined = channels & self._connections.list_channels(sid)
            if not joined:
                continue
            for channel in joined:
                self._connections.leave(sid, channel)
            self._server.emit("removed_from_chat", {"conversation": wire_name}, to=sid)

    def check_revocations(self) -> None:
        """Evict the users whose login session or membership was revoked, if other processes revoked any since.

        Send `epoch_renewed` if the positions of broadcasts are of another epoch than the database.
        """
        last = self._get_last_revocation()
        if last != self._last_handled:
            self._handle_revocations(last)
        elif time.monotonic() - self._refreshed_at > REFRESH_SECONDS:
            self._refresh_fallback()
        if self._positions.is_of_another_epoch(last.epoch):
            # Also at the first check: a socket may have joined before it, and before the epoch was renewed.
            self._signals.send(epoch_renewed, last.epoch)

    def _handle_revocations(self, last: LastRevocation) -> None:
        self._fallback.revoke_all()
        load_images(self._app)
        self._evict_signed_out(self._connections.list_users())
        for ref in self._connections.list_conversations(with_news=True):
            self._evict_former_members({ref.wire_name: self._connections.list_listening_users(ref.wire_name)})
        # Only now: if the database failed meanwhile, the next check has to find them again.
        self._last_handled = last
        self._refresh_fallback()
        # What was read before the revocations, by joins in progress, is not remembered: the next check does that.
        self._refreshed_at = float("-inf")

    def _refresh_fallback(self) -> None:
        """Remember that the users of all sockets are authenticated, and what they may read: revocations are known."""
        self._refreshed_at = time.monotonic()
        revision = self._fallback.revision
        for number, (sid, user) in enumerate(self._connections.items()):
            self._fallback.remember_login(user, revision)
            channels = self._connections.list_channels(sid)
            for ref in parse_refs(channels):
                self._fallback.remember_access(user.id, ref, revision, may_post=posters_channel(ref) in channels)
            if number % REFRESH_BATCH == 0:
                time.sleep(0)

    def evict_from(self, wire_names: Iterable[str], last_revocation: LastRevocation) -> None:
        """Evict the listeners of conversations whose login session or membership is revoked.

        Nothing is read if `check_revocations` has handled all revocations, up to the last one that the caller has read.
        """
        if last_revocation != self._last_handled:
            listening = {name: self._connections.list_listening_users(name) for name in wire_names}
            self._evict_signed_out([user for users in listening.values() for user in users])
            self._evict_former_members(listening)

    def _get_last_revocation(self) -> LastRevocation:
        with self._app.app_context():
            return get_last_revocation(db.session())

    def _on_revocation_handled(self, number: int) -> None:
        # If another process revoked something before, the next check has to find that.
        last = self._last_handled
        if last is not None and last.number == number - 1:
            self._last_handled = last._replace(number=number)

    def _evict_signed_out(self, users: Collection[AuthenticatedUser]) -> None:
        with self._app.app_context():
            active = find_active_actors(db.session(), {user.actor for user in users})
        self.evict_login_sessions(sorted({user.login_session_id for user in users if user.actor not in active}))

    def _evict_former_members(self, listening: Mapping[str, Collection[AuthenticatedUser]]) -> None:
        """Evict the users who listen to conversations, given by wire name, and may no longer read them."""
        user_ids = {parse_ref(wire_name): {user.id for user in users} for wire_name, users in listening.items()}
        with self._app.app_context():
            rows = db.session.scalars(select(Conversation).where(Conversation.id.in_([ref.id for ref in user_ids])))
            open_ids = {row.id for row in rows if kind_of(row).is_open_to_all}
            keys = [(ref.id, user_id) for ref, ids in user_ids.items() if ref.id not in open_ids for user_id in ids]
            former: set[tuple[int, int]] = set()
            for start in range(0, len(keys), MEMBERSHIPS_PER_QUERY):
                listed = keys[start : start + MEMBERSHIPS_PER_QUERY]
                former |= set(listed) - find_accesses(db.session(), listed).keys()
        refs = {ref.id: ref for ref in user_ids}
        for conversation_id, user_id in sorted(former):
            self.evict_member(MembershipRevoked(refs[conversation_id], user_id))
