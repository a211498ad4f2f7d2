"""The threads of a conversation, and those that the user follows."""

from flask import Blueprint, Response

from chatapp.api import resources
from chatapp.api.access import current_caller, protect
from chatapp.api.document import CONVERSATION_ERRORS, describe
from chatapp.api.responses import list_fields, make_links, respond, respond_thread
from chatapp.api.routes import CONVERSATION, parse_conversation, parse_message_number
from chatapp.api.schemas import CursorQuery, ReadMark, RepliesQuery
from chatapp.conversations.policy import authorize_reading
from chatapp.conversations.queries import find_access
from chatapp.errors import Conflict
from chatapp.extensions import db
from chatapp.presentation.messages import present_message_data
from chatapp.presentation.resources import ThreadState
from chatapp.presentation.threads import present_thread_state
from chatapp.timeline.reading import find_root, read_thread
from chatapp.timeline.thread_markers import mark_thread_read
from chatapp.timeline.thread_members import (
    FollowedThread,
    check_thread,
    count_followed_threads,
    find_thread_state,
    follow_thread,
    read_followed_threads,
)

blueprint = Blueprint("api_threads", __name__, url_prefix="/api")
protect(blueprint)

TAG = "Threads"
THREAD = f"{CONVERSATION}/threads/<seq>"


@blueprint.get("/threads")
@describe(resources.Threads, tag=TAG, query=CursorQuery)
def list_threads(query: CursorQuery) -> Response:
    """List the threads that you follow: first those with unread replies, then by the last reply."""
    user_id = current_caller().actor.user_id
    page = read_followed_threads(db.session(), user_id, before=query.before, after=query.after, limit=query.limit)
    links = make_links(query, page)
    body: resources.Threads = {
        **list_fields(count_followed_threads(db.session(), user_id), query, links),
        "threads": [_present(thread) for thread in page.items],
    }
    return respond(body, Link=links.header)


@blueprint.get(THREAD)
@describe(resources.ThreadMessages, *CONVERSATION_ERRORS, tag=TAG, query=RepliesQuery)
def show_thread(conversation: str, seq: str, query: RepliesQuery) -> Response:
    """Get a thread by the `seq` of its first message: the last replies, or those beside a cursor."""
    ref, root, user_id = parse_conversation(conversation), parse_message_number(seq), current_caller().actor.user_id
    readable = authorize_reading(*find_access(db.session(), ref, user_id))
    check_thread(db.session(), readable, root)
    state = find_thread_state(db.session(), ref, user_id, root)
    page = read_thread(db.session(), readable, root, before=query.before, after=query.after, limit=query.limit)
    return respond_thread(state, find_root(db.session(), readable, root), page, query)


@blueprint.put(f"{THREAD}/follow")
@describe(ThreadState, *CONVERSATION_ERRORS, Conflict, tag=TAG)
def follow(conversation: str, seq: str) -> Response:
    """Follow a thread: its replies are unread until you read them. The number of threads is limited."""
    return _follow(conversation, seq, on=True)


@blueprint.delete(f"{THREAD}/follow")
@describe(ThreadState, *CONVERSATION_ERRORS, tag=TAG)
def unfollow(conversation: str, seq: str) -> Response:
    """Do not follow a thread any more. A reply of yours follows it again."""
    return _follow(conversation, seq, on=False)


@blueprint.post(f"{THREAD}/read")
@describe(ThreadState, *CONVERSATION_ERRORS, tag=TAG, json=ReadMark)
def mark_read(conversation: str, seq: str, json: ReadMark) -> Response:
    """Mark replies as read, up to a number. The mark never moves back."""
    ref, actor, root = parse_conversation(conversation), current_caller().actor, parse_message_number(seq)
    last_event = authorize_reading(*find_access(db.session(), ref, actor.user_id)).last_event
    state = mark_thread_read(ref, actor, root, last_event if json.seq is None else json.seq)
    return respond(present_thread_state(state))


def _follow(conversation: str, seq: str, *, on: bool) -> Response:
    ref, root = parse_conversation(conversation), parse_message_number(seq)
    return respond(present_thread_state(follow_thread(ref, current_caller().actor, root, on=on)))


def _present(thread: FollowedThread) -> resources.FollowedThread:
    return {
        "thread": present_thread_state(thread.state),
        "root": None if thread.root is None else present_message_data(thread.root),
    }
