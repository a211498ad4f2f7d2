"""Threads as JSON, and the view of their page."""

from collections.abc import Sequence
from dataclasses import dataclass

from chatapp.conversations.kinds import kind_of
from chatapp.conversations.policy import authorize_reading, may_pin, may_post
from chatapp.conversations.refs import ConversationRef
from chatapp.errors import ChatError
from chatapp.extensions import db
from chatapp.identity import current_person
from chatapp.models import Conversation
from chatapp.presentation import resources
from chatapp.presentation.conversations import Composer, make_composer
from chatapp.presentation.kinds import ConversationPage, pages_of
from chatapp.presentation.urls import LATEST, Place
from chatapp.timeline import Page, TimelineMessage, list_pending
from chatapp.timeline.conversation_state import ConversationState
from chatapp.timeline.quoted import read_quoted
from chatapp.timeline.reading import SCROLLED_PAGE_SIZE, find_root, read_thread
from chatapp.timeline.references import thread_path
from chatapp.timeline.thread_members import check_thread, find_thread_state
from chatapp.timeline.threads import ThreadState


@dataclass(frozen=True, slots=True)
class ThreadView:
    """The variables of the template of a thread."""

    page: ConversationPage
    root_seq: int
    root: TimelineMessage | None
    """None if a cleanup has removed it."""
    replies: Page
    state: ThreadState
    is_member: bool
    """Whether the viewer has a read marker in the thread, or can have one."""
    may_post: bool
    may_moderate: bool
    may_pin: bool
    composer: Composer
    epoch: str
    scheduled: int
    """The number of messages that the viewer has scheduled for the conversation."""
    quoted: Sequence[TimelineMessage]
    """The messages that these quote, without those that are among them."""

    @property
    def conversation(self) -> Conversation:
        """The row."""
        return self.page.conversation

    @property
    def path(self) -> str:
        """The path of the page."""
        return thread_path(self.conversation.wire_name, self.root_seq)


def view_thread(
    conversation_state: ConversationState,
    root_seq: int,
    *,
    place: Place = LATEST,
    draft: str = "",
    error: ChatError | None = None,
) -> ThreadView:
    """Return the view of a thread with its last replies, those before or after a number, or those up to it (`around`).

    Raises what `authorize_reading` and `check_thread` raise.
    """
    session, viewer = db.session(), current_person()
    access = conversation_state.access
    conversation, membership = authorize_reading(*access), access.membership
    check_thread(session, conversation, root_seq)
    ref = ConversationRef.of(conversation)
    (page,) = pages_of(session, [conversation], viewer.id)
    root = find_root(session, conversation, root_seq)
    before = place.before if place.around is None else place.around + 1
    replies = read_thread(session, conversation, root_seq, before=before, after=place.after, limit=SCROLLED_PAGE_SIZE)
    pending = [] if replies.has_newer else [each for each in list_pending(ref) if each.thread_root == root_seq]
    return ThreadView(
        page=page,
        root_seq=root_seq,
        root=root,
        replies=Page([*replies.messages, *pending], replies.has_older, replies.has_newer),
        state=find_thread_state(session, ref, viewer.id, root_seq),
        is_member=membership is not None,
        may_post=root is not None and may_post(conversation, membership),
        may_moderate=kind_of(conversation).may_moderate(membership, is_admin=viewer.is_admin),
        may_pin=may_pin(*access, is_admin=viewer.is_admin),
        composer=make_composer(viewer, conversation_state, len(pending), thread=root_seq, draft=draft, error=error),
        epoch=conversation_state.epoch,
        scheduled=conversation_state.scheduled,
        quoted=read_quoted(session, conversation, [*([root] if root else []), *replies.messages, *pending]),
    )


def present_thread_state(state: ThreadState) -> resources.ThreadState:
    """Return the JSON of a thread as one person sees it."""
    return {
        "conversation": state.conversation.wire_name,
        "thread": state.root_seq,
        "following": state.is_following,
        "unread": state.unread,
        "last_read_seq": state.last_read_seq,
    }
