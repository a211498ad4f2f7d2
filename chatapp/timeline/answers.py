"""Messages of assistants: made with their question, filled while they grow, final at their end.

That a message begins and how it ended are events like any other. What lies between is none: it is stored now and then,
so that little is lost with a process, and whoever joins meanwhile is told what is there.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatapp.models import Conversation, Message
from chatapp.storage import Transaction
from chatapp.timeline.messages import TimelineMessage, fetch_message, next_seq
from chatapp.timeline.posting import add_message
from chatapp.timeline.signals import message_changed, message_posted

RUNNING = ("queued", "streaming")
"""States of an answer that is not over."""


def begin_answer(
    transaction: Transaction,
    conversation: Conversation,
    *,
    name: str,
    question: TimelineMessage,
    problem: str | None = None,
) -> Message:
    """Store an empty answer to a person's question by the assistant called `name`, within the question's transaction.

    With a `problem` it has failed before it began.
    """
    session = transaction.session
    message = add_message(
        session,
        conversation,
        sender_type="assistant",
        sender_name=name,
        content="",
        reply_to=question.seq,
        asker_id=question.sender and question.sender.id,
        state="failed" if problem else "queued",
        problem=problem,
    )
    transaction.send_on_commit(message_posted, fetch_message(session, conversation, message.id))
    return message


def change_answer(
    transaction: Transaction, message: Message, *, state: str, content: str, problem: str | None = None
) -> TimelineMessage:
    """Give an answer another state and content, as an event of its conversation, which must be locked."""
    session = transaction.session
    conversation = session.get_one(Conversation, message.conversation_id)
    message.state, message.content, message.problem = state, content, problem
    message.version = next_seq(conversation)
    session.flush()
    changed = fetch_message(session, conversation, message.id)
    transaction.send_on_commit(message_changed, changed)
    return changed


def find_locked(session: Session, conversation_id: int) -> Conversation | None:
    """Find and lock a conversation whose next number is to be taken."""
    return session.scalars(
        select(Conversation)
        .where(Conversation.id == conversation_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
