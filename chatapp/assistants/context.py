"""The context of a question: what a model receives of the conversation besides the question."""

import re
from collections.abc import Sequence

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from chatapp.assistants.answer_queue import Job
from chatapp.assistants.providers import Turn
from chatapp.assistants.usage import estimate_tokens
from chatapp.config.assistants import Assistant
from chatapp.models import Conversation, Message, User
from chatapp.timeline.content import TEXT


def build_turns(session: Session, job: Job, assistant: Assistant) -> Sequence[Turn]:
    """Return the system prompt, the latest messages before the question that fit into the context, and the question.

    Deleted messages, notices and posts of webhooks (type `system`), failed and unfinished answers, and other unanswered
    questions are left out. The context of a question in a thread is the thread; that of another one leaves threads out.
    """
    question = session.execute(
        select(Message.content, Message.thread_root).where(
            Message.conversation_id == job.conversation.id, Message.seq == job.reply_to
        )
    ).one_or_none()
    root = question and question.thread_root
    rows = session.execute(
        select(Message, User.name)
        .outerjoin(User, User.id == Message.sender_id)
        .where(
            Message.conversation_id == job.conversation.id,
            Message.is_in_room if root is None else or_(Message.thread_root == root, Message.seq == root),
            Message.seq < job.seq,
            Message.seq != job.reply_to,
            Message.deleted_at.is_(None),
            Message.message_type == TEXT,
            Message.content != "",
            or_(
                and_(Message.sender_type != "assistant", Message.seq < job.reply_to),
                Message.state.in_(("complete", "stopped")),
            ),
        )
        .order_by(Message.seq.desc())
        .limit(assistant.context_messages - 1)
    ).all()
    newest_first = [make_turn(message, name, is_private=job.is_private) for message, name in rows]
    session_prompt = session.scalars(
        select(Conversation.prompt).where(Conversation.id == job.conversation.id)
    ).one_or_none()
    return fit_turns(
        newest_first,
        remove_mention(question.content if question else "", assistant.name),
        assistant,
        session_prompt or "",
    )


def fit_turns(
    newest_first: Sequence[Turn], question: str, assistant: Assistant, session_prompt: str = ""
) -> Sequence[Turn]:
    """Return the system prompt, as many of the newest turns as the context has room for, and the question.

    The system prompt is the assistant's, followed by that of the template which the session began with.
    """
    prompt = f"{assistant.prompt}\n\n{session_prompt}" if session_prompt else assistant.prompt
    room = assistant.context_tokens - estimate_tokens(prompt) - estimate_tokens(question)
    turns = [Turn("user", question)]
    for turn in newest_first:
        room -= estimate_tokens(turn.content)
        if room < 0:
            break
        turns.insert(0, turn)
    return [Turn("system", prompt), *turns]


def make_turn(message: Message, sender: str | None, *, is_private: bool) -> Turn:
    """Return a message in the form that models expect. Where several users write, their names are included."""
    if message.sender_type == "assistant":
        return Turn("assistant", message.content)
    name = None if is_private else (sender or message.sender_name)
    return Turn("user", f"{name}: {message.content}" if name else message.content)


def remove_mention(question: str, assistant: str) -> str:
    """Return a question without the mention of the assistant at its beginning."""
    stripped = re.sub(rf"^\s*@{re.escape(assistant)}\b[\s,:]*", "", question, flags=re.IGNORECASE)
    return stripped or question
