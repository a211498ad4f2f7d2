"""Threads as JSON."""

from chatapp.presentation import resources
from chatapp.timeline.threads import ThreadState


def present_thread_state(state: ThreadState) -> resources.ThreadState:
    """Return the JSON of a thread as one person sees it."""
    return {
        "conversation": state.conversation.wire_name,
        "thread": state.root_seq,
        "following": state.is_following,
        "unread": state.unread,
        "last_read_seq": state.last_read_seq,
    }
