"""Messages of assistants: stored empty together with the question, updated while the answer is generated.

The creation and the end of an answer are events with a number. Its growth is not an event: the content is stored from
time to time without an event number, and sent to clients as deltas.
"""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatapp.conversations.refs import ConversationRef
from chatapp.models import Conversation, Message
from chatapp.models.messages import RUNNING_STATES
from chatapp.search.index import index_rows
from chatapp.storage import Transaction
from chatapp.timeline.content import ERROR, TEXT
from chatapp.timeline.event_numbers import increment_last_event
from chatapp.timeline.messages import TimelineMessage, fetch_message, insert_message
from chatapp.timeline.metadata import Metadata
from chatapp.timeline.signals import message_changed, messages_posted, send_changed
from chatapp.timeline.thread_replies import Reply, change_roots, store_replies


def find_running(session: Session, conversation_id: int, seqs: Collection[int]) -> set[int]:
    """Return those of the answers with these `seqs` that have not ended."""
    return set(
        session.scalars(
            select(Message.seq).where(
                Message.conversation_id == conversation_id, Message.seq.in_(seqs), Message.state.in_(RUNNING_STATES)
            )
        )
    )


def create_answer(
    transaction: Transaction,
    conversation: Conversation,
    *,
    assistant_name: str,
    question: TimelineMessage,
    problem: str | None = None,
) -> Message:
    """Store an empty answer of the assistant called `assistant_name`, within the transaction that stores the question.

    It is in the same thread as the question.

    With a `problem` its state is `failed`, otherwise `queued`.
    """
    session = transaction.session
    message = insert_message(
        transaction,
        conversation,
        sender_type="assistant",
        message_type=ERROR if problem else TEXT,
        sender_name=assistant_name,
        content="",
        reply_to=question.seq,
        thread_root=question.thread_root,
        is_in_room=question.is_in_room,
        asker_id=question.sender and question.sender.id,
        state="failed" if problem else "queued",
        problem=problem,
    )
    ref = ConversationRef.of(conversation)
    transaction.send_on_commit(messages_posted, [fetch_message(session, ref, message.id)])
    if message.thread_root is not None:
        change_roots(transaction, conversation, [message.thread_root])
        root = (conversation.id, message.thread_root)
        store_replies(session, [Reply(root, message.seq, None, message.created_at, "", ())])
        send_changed(transaction, {ref: [message.thread_root]})
    return message


def update_answer(
    transaction: Transaction,
    message: Message,
    *,
    state: str,
    content: str,
    problem: str | None = None,
    metadata: Metadata | None = None,
) -> TimelineMessage:
    """Set state, content and metadata of an answer, as an event of its conversation, which must be locked."""
    session = transaction.session
    conversation = session.get_one(Conversation, message.conversation_id)
    message.state, message.content, message.problem, message.extra = state, content, problem, metadata
    message.message_type = ERROR if state == "failed" else TEXT
    message.version = increment_last_event(transaction, conversation)
    session.flush()
    index_rows(session, [message])
    changed = fetch_message(session, ConversationRef.of(conversation), message.id)
    transaction.send_on_commit(message_changed, changed)
    return changed
