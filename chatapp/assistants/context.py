"""What an assistant is given of a conversation: its prompt, the last real messages, and the question."""

import re
from collections.abc import Sequence

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from chatapp.assistant_config import Assistant
from chatapp.assistants.providers import Turn
from chatapp.assistants.work import Job
from chatapp.models import Message, User

CHARACTERS_PER_TOKEN = 4
"""A rule of thumb: each model counts in its own way, and the limit need not be met exactly."""

PER_MESSAGE = 4
"""Tokens that a message costs besides its content."""


def build_turns(session: Session, job: Job, assistant: Assistant) -> Sequence[Turn]:
    """Give the system prompt, the last messages before the question, as many as there is room for, and the question.

    Only what people and assistants have said counts: nothing deleted, nothing that failed, no other question that is
    not answered yet.
    """
    question = session.scalars(
        select(Message.content).where(Message.conversation_id == job.conversation.id, Message.seq == job.reply_to)
    ).one_or_none()
    rows = session.execute(
        select(Message, User.name)
        .outerjoin(User, User.id == Message.sender_id)
        .where(
            Message.conversation_id == job.conversation.id,
            Message.seq < job.seq,
            Message.seq != job.reply_to,
            Message.deleted_at.is_(None),
            Message.content != "",
            or_(
                and_(Message.sender_type != "assistant", Message.seq < job.reply_to),
                Message.state.in_(("complete", "stopped")),
            ),
        )
        .order_by(Message.seq.desc())
        .limit(assistant.context_messages - 1)
    ).all()
    last = Turn("user", _without_call(question or "", assistant))
    left = assistant.context_tokens - estimate_tokens(assistant.prompt) - estimate_tokens(last.content)
    turns = [last]
    for message, name in rows:
        turn = _turn(message, name, job)
        left -= estimate_tokens(turn.content)
        if left < 0:
            break
        turns.insert(0, turn)
    return [Turn("system", assistant.prompt), *turns]


def estimate_tokens(text: str) -> int:
    """Estimate what a message with this content costs."""
    return len(text) // CHARACTERS_PER_TOKEN + PER_MESSAGE


def _turn(message: Message, name: str | None, job: Job) -> Turn:
    if message.sender_type == "assistant":
        return Turn("assistant", message.content)
    # Where several people talk, the model is told who says what.
    speaker = None if job.is_private else (name or message.sender_name)
    return Turn("user", f"{speaker}: {message.content}" if speaker else message.content)


def _without_call(question: str, assistant: Assistant) -> str:
    """Take the assistant's name off the question's beginning: that it is asked, it knows."""
    stripped = re.sub(rf"^\s*@{re.escape(assistant.name)}\b[\s,:]*", "", question, flags=re.IGNORECASE)
    return stripped or question
