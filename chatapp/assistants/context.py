"""The context of a question: what a model receives of the conversation besides the question."""

import re
from collections.abc import Sequence

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from chatapp.assistants.answer_queue import Job
from chatapp.assistants.providers import Turn
from chatapp.assistants.usage import estimate_tokens
from chatapp.config.assistants import Assistant
from chatapp.files.attached import AttachedFile
from chatapp.files.rows import fetch_files
from chatapp.models import Attachment, Conversation, Message, User
from chatapp.timeline.content import TEXT


def build_turns(session: Session, job: Job, assistant: Assistant) -> Sequence[Turn]:
    """Return the system prompt, the latest messages before the question that fit into the context, and the question.

    Deleted messages, notices and posts of webhooks (type `system`), failed and unfinished answers, and other unanswered
    questions are left out. The context of a question in a thread is the thread; that of another one leaves threads out.
    """
    question = session.execute(
        select(Message.id, Message.content, Message.thread_root).where(
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
            or_(
                Message.content != "", select(Attachment.message_id).where(Attachment.message_id == Message.id).exists()
            ),
            or_(
                and_(Message.sender_type != "assistant", Message.seq < job.reply_to),
                Message.state.in_(("complete", "stopped")),
            ),
        )
        .order_by(Message.seq.desc())
        .limit(assistant.context_messages - 1)
    ).all()
    files = fetch_files(session, [message.id for message, _ in rows] + ([question.id] if question else []))
    newest_first = [
        make_turn(message, name, files.get(message.id, ()), is_private=job.is_private) for message, name in rows
    ]
    session_prompt = session.scalars(
        select(Conversation.prompt).where(Conversation.id == job.conversation.id)
    ).one_or_none()
    asked = remove_mention(question.content, assistant.name) if question else ""
    asked_files = files.get(question.id, ()) if question else ()
    return fit_turns(
        newest_first,
        Turn("user", _name_files(asked, asked_files), _select_images(asked_files)),
        assistant,
        session_prompt or "",
    )


def fit_turns(
    newest_first: Sequence[Turn], question: Turn, assistant: Assistant, session_prompt: str = ""
) -> Sequence[Turn]:
    """Return the system prompt, as many of the newest turns as the context has room for, and the question.

    The system prompt is the assistant's, followed by that of the template which the session began with.
    """
    prompt = f"{assistant.prompt}\n\n{session_prompt}" if session_prompt else assistant.prompt
    room = assistant.context_tokens - estimate_tokens(prompt) - estimate_tokens(question.content)
    turns = [question]
    for turn in newest_first:
        room -= estimate_tokens(turn.content)
        if room < 0:
            break
        turns.insert(0, turn)
    return [Turn("system", prompt), *turns]


def make_turn(message: Message, sender: str | None, files: Sequence[AttachedFile] = (), *, is_private: bool) -> Turn:
    """Return a message in the form that models expect. Where several users write, their names are included.

    All models get what is known of files, and only those with `vision` the contents of images.
    """
    if message.sender_type == "assistant":
        return Turn("assistant", _name_files(message.content, files), _select_images(files))
    name, text = None if is_private else (sender or message.sender_name), _name_files(message.content, files)
    return Turn("user", f"{name}: {text}" if name else text, _select_images(files))


def _select_images(files: Sequence[AttachedFile]) -> tuple[AttachedFile, ...]:
    """Return the images that have thumbnails: others could not be decoded."""
    return tuple(file for file in files if file.kind == "image" and file.has_thumbnails)


def _name_files(text: str, files: Sequence[AttachedFile]) -> str:
    return "\n".join(filter(None, (text, *(f"[File: {file.describe()}]" for file in files))))


def remove_mention(question: str, assistant: str) -> str:
    """Return a question without the mention of the assistant at its beginning."""
    stripped = re.sub(rf"^\s*@{re.escape(assistant)}\b[\s,:]*", "", question, flags=re.IGNORECASE)
    return stripped or question
