"""View models of a conversation's page and of lists of conversations."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from flask import render_template, request
from sqlalchemy import inspect
from sqlalchemy.orm import Session

from chatapp.conversations.kinds import kind_of
from chatapp.conversations.policy import authorize_reading, may_pin, may_post, may_share
from chatapp.conversations.preferences import Preferences
from chatapp.conversations.queries import find_conversation
from chatapp.conversations.refs import ConversationRef
from chatapp.errors import ChatError, SignedOut
from chatapp.extensions import db
from chatapp.fallback import current_fallback, request_revision
from chatapp.identity import AuthenticatedUser, current_person
from chatapp.models import Conversation
from chatapp.presentation.kinds import ConversationPage, pages_of
from chatapp.presentation.sidebar import ConversationItem, adapt_to_request, current_sidebars
from chatapp.presentation.urls import LATEST, Place
from chatapp.storage import DATABASE_ERRORS
from chatapp.timeline import TimelineMessage, list_pending, read_page
from chatapp.timeline.conversation_state import ConversationState
from chatapp.timeline.pins import list_pinned_seqs
from chatapp.timeline.quoted import read_quoted
from chatapp.timeline.read_markers import ReadState
from chatapp.timeline.reading import SCROLLED_PAGE_SIZE, Page, read_around

FORM_IDS = uuid.UUID("5b7a1d6e-8b5f-4d0c-9f0e-3f1d8a6c2e47")
"""The name space of the ids of forms."""

MESSAGES_HEADER = "X-Chatapp-Messages"
"""Header of the script's requests for pages: how many messages fit its window. `page_loader.js` sends it."""

_PLACEHOLDER_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""Time of the message that is the template of messages in the browser's outbox, which sets another one."""


@dataclass(frozen=True, slots=True)
class History:
    """The messages on a page."""

    messages: Sequence[TimelineMessage]
    has_older: bool
    oldest_seq: int | None
    has_newer: bool = False
    newest_seq: int | None = None
    """Of those that have a number."""
    quoted: Sequence[TimelineMessage] = ()
    """The messages that these quote, without those that are among them."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """What the viewer may do in the conversation."""

    may_post: bool
    may_manage: bool
    may_moderate: bool
    may_pin: bool
    may_mention_all: bool
    may_share: bool
    """Create a public link."""


@dataclass(frozen=True, slots=True)
class Composer:
    """The form that posts a message."""

    form_id: str
    draft: str
    draft_version: int
    """The version of the stored draft that the form shows; 0 if it shows none."""
    error: str | None
    outbox_message: TimelineMessage
    """An empty message of the viewer: the template of messages in the browser's outbox."""


@dataclass(frozen=True, slots=True)
class ConversationView:
    """The variables of a conversation's template."""

    page: ConversationPage
    history: History
    epoch: str
    read_state: ReadState | None
    """The viewer's, if they are a member."""
    preferences: Preferences
    permissions: Permissions
    composer: Composer
    archived_text: str | None
    pinned_seqs: Sequence[int]
    """The numbers of the pinned messages."""
    is_public: bool
    """Whether anyone can read the conversation through a share link."""
    scheduled: int
    """The number of messages that the viewer has scheduled for it."""
    extras: Mapping[str, object]
    """Variables that only the template of this kind of conversation uses."""

    @property
    def conversation(self) -> Conversation:
        """The row."""
        return self.page.conversation

    @property
    def has_threads(self) -> bool:
        """Whether messages can be answered in threads."""
        return kind_of(self.conversation).has_threads

    @property
    def has_unread_above(self) -> bool:
        """Whether the first unread message is above those on the page."""
        state, oldest = self.read_state, self.history.oldest_seq
        if state is None or state.unread == 0 or oldest is None:
            return False
        return self.history.has_older and oldest > state.last_read_seq + 1


def view_conversation(
    state: ConversationState, place: Place = LATEST, *, draft: str = "", error: ChatError | None = None
) -> ConversationView:
    """Return the view of the page with the messages of a place.

    Raises what `authorize_reading` raises.
    """
    session, viewer = db.session(), current_person()
    conversation, membership = authorize_reading(*state.access), state.access.membership
    kind, ref = kind_of(conversation), ConversationRef.of(conversation)
    (shown,) = pages_of(session, [conversation], viewer.id)
    messages = _read_place(session, conversation, place)
    pending = () if messages.has_newer else _list_pending(ref)
    view = ConversationView(
        page=shown,
        history=History(
            messages=[*messages.messages, *pending],
            has_older=messages.has_older,
            oldest_seq=messages.oldest_seq,
            has_newer=messages.has_newer,
            newest_seq=messages.newest_seq,
            quoted=read_quoted(session, conversation, [*messages.messages, *pending]),
        ),
        epoch=state.epoch,
        read_state=state.read_state,
        preferences=state.preferences,
        permissions=Permissions(
            may_post=may_post(conversation, membership),
            may_manage=kind.may_manage(membership, is_admin=viewer.is_admin),
            may_moderate=kind.may_moderate(membership, is_admin=viewer.is_admin),
            may_pin=may_pin(conversation, membership, is_admin=viewer.is_admin),
            may_mention_all=kind.may_mention_all(membership),
            may_share=kind.has_assistant
            and may_share(conversation, membership, is_admin=viewer.is_admin, has_share_links=state.has_share_links),
        ),
        composer=make_composer(viewer, state, len(pending), draft=draft, error=error),
        archived_text=kind.archived_text if conversation.is_archived else None,
        pinned_seqs=list_pinned_seqs(session, conversation.id) if state.has_pins else (),
        is_public=state.is_public,
        scheduled=state.scheduled,
        extras=shown.extras(session, viewer, state),
    )
    if place == LATEST and error is None:
        _remember(view, viewer.id)
    return view


def _list_pending(ref: ConversationRef) -> list[TimelineMessage]:
    """Return the pending messages that the page of the conversation shows."""
    return [message for message in list_pending(ref) if message.is_in_room]


def preview_message(ref: ConversationRef, viewer: AuthenticatedUser, content: str) -> TimelineMessage:
    """Return a message that is not posted yet, as pages show it."""
    return TimelineMessage(conversation=ref, sender=viewer.as_person(), content=content, created_at=_PLACEHOLDER_TIME)


def _read_place(session: Session, conversation: Conversation, place: Place) -> Page:
    if place.around is not None:
        return read_around(session, conversation, place.around)
    limit = max(kind_of(conversation).last_page_size, _requested_messages())
    return read_page(session, conversation, before=place.before, after=place.after, limit=limit)


def _requested_messages() -> int:
    """Return the number of messages that the page's script asks for, because they fit its window."""
    return min(request.headers.get(MESSAGES_HEADER, 0, type=int), SCROLLED_PAGE_SIZE)


def make_composer(
    viewer: AuthenticatedUser,
    state: ConversationState,
    pending: int,
    *,
    thread: int | None = None,
    draft: str = "",
    error: ChatError | None = None,
) -> Composer:
    """Return the composer of a conversation, or of one of its threads. `pending` messages are on its page.

    It shows the `draft` that was refused with an `error`, or else the stored one.

    The id of the form is the same as long as nothing has happened, so that the page is, too.
    """
    conversation = authorize_reading(*state.access)
    name = f"{viewer.login_session_id} {state.epoch} {conversation.wire_name} {conversation.last_event} {pending}"
    return Composer(
        form_id=str(uuid.uuid5(FORM_IDS, name if thread is None else f"{name} {thread}")),
        draft=draft or ("" if error else state.draft.content),
        draft_version=0 if error else state.draft.version,
        error=error.message if error else None,
        outbox_message=preview_message(ConversationRef.of(conversation), viewer, ""),
    )


def _remember(view: ConversationView, viewer_id: int) -> None:
    """Keep what `render_remembered_conversation` shows."""
    fallback = current_fallback()
    ref = ConversationRef.of(view.conversation)
    fallback.remember_access(viewer_id, ref, request_revision(), may_post=view.permissions.may_post)
    fallback.remember_page(view.conversation, view.epoch, view.history.messages, is_public=view.is_public)
    # The messages are kept once for all viewers.
    history = replace(view.history, messages=(), quoted=())
    fallback.remember_view(viewer_id, view.page.path, replace(view, history=history, read_state=None, scheduled=0))


def _copy(conversation: Conversation, **changes: object) -> Conversation:
    state = inspect(conversation)
    columns = (column.key for column in state.mapper.column_attrs if column.key not in state.unloaded)
    return Conversation(**{name: getattr(conversation, name) for name in columns} | changes)


def render_remembered_conversation() -> str | None:
    """Render the page that is requested from memory, or return None if it is not known or not permitted.

    For use while the database cannot be read. The sidebar has the conversations that the viewer has visited recently.
    """
    if request.method != "GET" or request.args:
        return None
    try:
        viewer = current_person()
    except (SignedOut, *DATABASE_ERRORS):
        return None
    fallback = current_fallback()
    view = fallback.find_view(viewer.id, request.path)
    if not isinstance(view, ConversationView):
        return None
    ref = ConversationRef.of(view.conversation)
    may_post, page = fallback.find_access(viewer.id, ref), fallback.find_page(ref)
    if may_post is None or page is None:
        return None
    messages = page.messages[-kind_of(view.conversation).last_page_size :]
    shown = replace(
        view,
        page=replace(view.page, conversation=_copy(view.conversation, last_event=page.last_event, floor=page.floor)),
        history=History(
            messages=[*messages, *_list_pending(ref)],
            has_older=view.history.has_older or len(page.messages) > len(messages),
            oldest_seq=messages[0].seq if messages else None,
        ),
        epoch=page.epoch,
        is_public=page.is_public,
        permissions=Permissions(
            may_post=may_post,
            may_manage=False,
            may_moderate=False,
            may_pin=False,
            may_mention_all=False,
            may_share=False,
        ),
        # The draft may be sent meanwhile. The browser keeps what the server does not have.
        composer=replace(view.composer, form_id=str(uuid.uuid4()), draft="", draft_version=0),
    )
    sidebar = current_sidebars().render_items(_remembered_items(viewer.id))
    return render_template(shown.page.template, view=shown, sidebar=lambda: adapt_to_request(sidebar), **shown.extras)


def _remembered_items(viewer_id: int) -> list[ConversationItem]:
    fallback = current_fallback()
    return [
        ConversationItem(view.page, None, view.preferences)
        for view in fallback.list_views(viewer_id)
        if isinstance(view, ConversationView)
        and fallback.find_access(viewer_id, ConversationRef.of(view.conversation)) is not None
    ]


def render_conversation(view: ConversationView) -> str:
    """Render the page."""
    return render_template(view.page.template, view=view, **view.extras)


def find_path(ref: ConversationRef) -> str:
    """Return the path of the page of a conversation that the authenticated user may read."""
    viewer_id = current_person().id
    try:
        conversation = find_conversation(db.session(), ref)
        assert conversation is not None  # noqa: S101 - callers have found it before
        (shown,) = pages_of(db.session(), [conversation], viewer_id)
    except DATABASE_ERRORS:
        for view in current_fallback().list_views(viewer_id):
            if isinstance(view, ConversationView) and ConversationRef.of(view.conversation) == ref:
                return view.page.path
        raise
    return shown.path
