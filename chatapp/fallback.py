"""What is served from memory while the database cannot be read: recent logins, permissions and last pages.

Each process has its own. See `docs/decisions/` for which facts are trusted, and for how long.
"""

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from flask import Flask, current_app, g

from chatapp.config import Settings
from chatapp.conversations.refs import ConversationRef
from chatapp.identity import AuthenticatedUser
from chatapp.models import Conversation
from chatapp.timeline import TimelineMessage
from chatapp.tokens import hash_token

EXTENSION = "chatapp.fallback"
"""Key of the application's `Fallback` in `app.extensions`."""

_REVISION = "chatapp_fallback_revision"
"""Name in `g` of the number of revocations that were known when the request began."""

MAX_LOGINS = 10_000
MAX_PERMISSIONS = 50_000
MAX_VIEWS = 5_000
MAX_PAGES = 200

MAX_PAGE_MESSAGES = 50
"""Maximum number of messages of a conversation that are kept."""

K = TypeVar("K")
V = TypeVar("V")


class RecentFacts(Generic[K, V]):
    """A mapping of bounded size whose entries expire. The entry that was set first is evicted first."""

    def __init__(self, max_entries: int, max_age_seconds: float) -> None:
        self._max_entries = max_entries
        self._max_age_seconds = max_age_seconds
        self._entries: dict[K, tuple[float, V]] = {}

    def set(self, key: K, value: V) -> None:
        """Set an entry. It is valid from now on."""
        self._entries.pop(key, None)
        self._entries[key] = time.monotonic(), value
        if len(self._entries) > self._max_entries:
            del self._entries[next(iter(self._entries))]

    def get(self, key: K) -> V | None:
        """Return the value of an entry; None if there is none or it has expired."""
        set_at, value = self._entries.get(key, (0.0, None))
        return value if time.monotonic() - set_at < self._max_age_seconds else None

    def discard(self, key: K) -> None:
        """Remove an entry if there is one."""
        self._entries.pop(key, None)

    def items(self) -> Iterable[tuple[K, V]]:
        """Return the entries, those that have expired too."""
        return [(key, value) for key, (_, value) in self._entries.items()]

    def clear(self) -> None:
        """Remove all entries."""
        self._entries.clear()


@dataclass(slots=True)
class LastPage:
    """The last messages of a conversation, oldest first, after the event `last_event`."""

    epoch: str
    last_event: int
    floor: int
    messages: Sequence[TimelineMessage]
    is_public: bool
    """Whether it could be read by a public link when it was last read from the database."""
    event_to_reach: int = 0
    """The conversation's last event at the last heartbeat: at the next one it has long been applied."""
    complete_after: int = field(init=False)
    """The messages of all later events are on the page."""

    def __post_init__(self) -> None:
        """Assume nothing about events before the page was read: they may have changed older messages."""
        self.complete_after = self.last_event

    def apply(self, message: TimelineMessage) -> bool:
        """Add or replace a message. Return False if an event before it is missing."""
        if message.version is None or message.version <= self.last_event:
            return True
        if message.version != self.last_event + 1:
            return False
        self.last_event = message.version
        if message.seq == message.version and message.is_in_room:
            self._add(message)
        elif any(each.seq == message.seq for each in self.messages):
            self.messages = [message if each.seq == message.seq else each for each in self.messages]
        else:
            self.complete_after = message.version
        return True

    def find_events_after(self, event: int, epoch: str | None) -> Sequence[TimelineMessage] | None:
        """Return the messages that were posted or changed after an event; None if more may have been than is known."""
        if not self.complete_after <= event <= self.last_event or epoch not in {None, self.epoch}:
            return None
        changed = [each for each in self.messages if (each.version or 0) > event]
        return sorted(changed, key=lambda each: each.version or 0)

    def _add(self, message: TimelineMessage) -> None:
        first = max(len(self.messages) + 1 - MAX_PAGE_MESSAGES, 0)
        for removed in self.messages[:first]:
            self.complete_after = max(self.complete_after, removed.version or 0)
        self.messages = [*self.messages[first:], message]


class Fallback:
    """The facts that one process remembers.

    They are kept only between `start` and the end of the process, while its evictor reports revocations. A fact that
    was read before a revocation and is remembered after it is ignored: pass the `revision` from before the read.
    """

    def __init__(self, max_age_seconds: float) -> None:
        self.revision = 0
        """Number of revocations that are known."""
        self._is_started = False
        self._logins: RecentFacts[str, AuthenticatedUser] = RecentFacts(MAX_LOGINS, max_age_seconds)
        self._may_post: RecentFacts[tuple[int, ConversationRef], bool] = RecentFacts(MAX_PERMISSIONS, max_age_seconds)
        self._views: RecentFacts[tuple[int, str], object] = RecentFacts(MAX_VIEWS, max_age_seconds)
        self._pages: RecentFacts[ConversationRef, LastPage] = RecentFacts(MAX_PAGES, float("inf"))

    def start(self) -> None:
        """Remember facts from now on."""
        self._is_started = True

    def remember_login(self, user: AuthenticatedUser, revision: int) -> None:
        """Remember that a login session is valid: by the hash of its token, and without the rights of an admin."""
        if self._is_started and revision == self.revision:
            self._logins.set(hash_token(user.token), replace(user, token="", is_admin=False))

    def find_login(self, token: str) -> AuthenticatedUser | None:
        """Return the user of a login session that was valid recently."""
        user = self._logins.get(hash_token(token))
        return user and replace(user, token=token)

    def find_login_user_id(self, token: str) -> int | None:
        """Return the id of the user that `find_login` returns."""
        user = self._logins.get(hash_token(token))
        return user and user.id

    def remember_access(self, user_id: int, ref: ConversationRef, revision: int, *, may_post: bool) -> None:
        """Remember that a user may read a conversation, and whether they may post."""
        if self._is_started and revision == self.revision:
            self._may_post.set((user_id, ref), may_post)

    def find_access(self, user_id: int, ref: ConversationRef) -> bool | None:
        """Return whether a user could post to a conversation recently; None if they could not read it."""
        return self._may_post.get((user_id, ref))

    def remember_view(self, user_id: int, path: str, view: object) -> None:
        """Remember what a user's page shows around the messages."""
        if self._is_started:
            self._views.set((user_id, path), view)

    def find_view(self, user_id: int, path: str) -> object | None:
        """Return what `remember_view` was given. Whether the user may still see it is known by `find_access`."""
        return self._views.get((user_id, path))

    def list_views(self, user_id: int) -> list[object]:
        """Return what is remembered of a user's pages."""
        return [view for (viewer_id, _), view in self._views.items() if viewer_id == user_id]

    def remember_page(
        self, conversation: Conversation, epoch: str, messages: Sequence[TimelineMessage], *, is_public: bool
    ) -> None:
        """Remember the last messages of a conversation, unless later events are known."""
        ref = ConversationRef.of(conversation)
        known = self._pages.get(ref)
        is_newer = (
            known is None
            or known.epoch != epoch
            or known.last_event < conversation.last_event
            or known.floor < conversation.floor
        )
        if self._is_started and is_newer:
            page = LastPage(
                epoch, conversation.last_event, conversation.floor, messages[-MAX_PAGE_MESSAGES:], is_public
            )
            self._pages.set(ref, page)
        elif known is not None:
            known.is_public = is_public

    def find_page(self, ref: ConversationRef) -> LastPage | None:
        """Return the last messages of a conversation."""
        return self._pages.get(ref)

    def apply_event(self, message: TimelineMessage) -> None:
        """Update the last messages of a conversation, or forget them if an event is missing."""
        page = self._pages.get(message.conversation)
        if page is not None and not page.apply(message):
            self._pages.discard(message.conversation)

    def list_page_ids(self) -> list[int]:
        """Return the ids of the conversations whose last messages are remembered."""
        return [ref.id for ref, _ in self._pages.items()]

    def check_page(self, ref: ConversationRef, *, last_event: int, floor: int) -> None:
        """Forget the messages of a conversation if some were removed or restored, or events have not been applied.

        Shell commands and other processes report neither: call this regularly with the conversation's numbers.
        """
        page = self._pages.get(ref)
        if page is None:
            return
        if page.floor != floor or page.last_event < page.event_to_reach:
            self._pages.discard(ref)
        page.event_to_reach = last_event

    def forget_page(self, ref: ConversationRef) -> None:
        """Forget the messages of a conversation."""
        self._pages.discard(ref)

    def forget_pages(self) -> None:
        """Forget the messages of all conversations: their event numbers are of a former epoch."""
        self._pages.clear()

    def revoke_logins(self, login_session_ids: Collection[int]) -> None:
        """Forget login sessions, and what their users may do unless they have another one."""
        self.revision += 1
        revoked = [(key, user.id) for key, user in self._logins.items() if user.login_session_id in login_session_ids]
        for key, _ in revoked:
            self._logins.discard(key)
        user_ids = {user_id for _, user_id in revoked} - {user.id for _, user in self._logins.items()}
        for access, _ in self._may_post.items() if user_ids else ():
            if access[0] in user_ids:
                self._may_post.discard(access)

    def revoke_access(self, user_id: int, ref: ConversationRef) -> None:
        """Forget that a user may read a conversation."""
        self.revision += 1
        self._may_post.discard((user_id, ref))

    def revoke_all(self) -> None:
        """Forget all logins and permissions: others have revoked some."""
        self.revision += 1
        self._logins.clear()
        self._may_post.clear()


def init_fallback(app: Flask, settings: Settings) -> None:
    """Create the application's `Fallback`."""
    app.extensions[EXTENSION] = fallback = Fallback(settings.outage_admission_minutes * 60)

    @app.before_request
    def note_revision() -> None:
        setattr(g, _REVISION, fallback.revision)


def request_revision() -> int:
    """Return the number of revocations that were known when the current request began."""
    return int(g.get(_REVISION, -1))


def current_fallback() -> Fallback:
    """Return the `Fallback` of the current application."""
    fallback: Fallback = current_app.extensions[EXTENSION]
    return fallback
