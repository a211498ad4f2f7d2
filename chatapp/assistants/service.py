"""Writes of conversations with assistants. Each function authorizes within the transaction that it writes in."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from chatapp.actors import Actor, require_active_login
from chatapp.assistants.tags import clean_category, join_tags
from chatapp.assistants.templates.policy import authorize_template_use
from chatapp.config.assistants import Assistant, current_assistants, find_assistant
from chatapp.conversations.kinds import AssistantSession, SharedAssistant
from chatapp.conversations.policy import authorize_session_management
from chatapp.conversations.queries import find_access_of, list_shared_conversations
from chatapp.conversations.refs import assistant_ref
from chatapp.conversations.signals import MembershipRevoked, membership_revoked, sidebar_changed
from chatapp.errors import Conflict, Invalid, NotFound
from chatapp.limits.rates import CONVERSATIONS, count_use
from chatapp.models import Conversation, Membership, SessionTemplate, now
from chatapp.revocations import revoke
from chatapp.storage import Transaction, write
from chatapp.text import clean_line
from chatapp.timeline.cleanup import delete_archive, delete_conversation
from chatapp.timeline.messages import insert_message
from chatapp.timeline.metadata import UNCHANGED, check_metadata

MAX_TITLE_CHARS = 80


def synchronize_shared_conversations(assistants: Mapping[str, Assistant]) -> None:
    """Make the shared conversations fit the configured assistants: create missing ones, archive those of others."""

    def change(transaction: Transaction) -> None:
        session = transaction.session
        existing = {conversation.assistant: conversation for conversation in list_shared_conversations(session)}
        for key, assistant in sorted(assistants.items()):
            if key in existing:
                existing[key].name, existing[key].ended_at = assistant.name, None
            else:
                session.add(SharedAssistant.new(assistant=key, name=assistant.name))
        for conversation in existing.values():
            if conversation.assistant not in assistants and conversation.ended_at is None:
                conversation.ended_at = now()

    write(change)


def start_session(
    actor: Actor,
    assistant: str | None = None,
    *,
    template_id: int | None = None,
    title: str = "",
    metadata: object = None,
    category: str | None = None,
    tags: Sequence[str] | None = None,
) -> int:
    """Start a session of the actor with the assistant of this name and return its id.

    A template has the defaults of what is not given, a prompt, and first messages: all are copied into the session. The
    last default is the first assistant. A session without a title is named after the first message that its owner
    posts. Raises what `check_metadata` raises, and `SignedOut`, `Invalid`, `RateLimited`, `NotFound`, and `Conflict` if
    the assistant of the template is no longer available.
    """
    assistants = current_assistants()
    given_assistant = None if assistant is None else get_assistant(assistant)
    checked_title = clean_line(title, "A title", min_chars=0, max_chars=MAX_TITLE_CHARS)
    checked_metadata = check_metadata(metadata)
    given_category = None if category is None else clean_category(category)
    given_tags = None if tags is None else join_tags(tags)
    count_use(CONVERSATIONS, actor.user_id)

    def change(transaction: Transaction) -> int:
        session = transaction.session
        require_active_login(session, actor)
        template = SessionTemplate(prompt="", messages=[], category="", tags="")
        if template_id is not None:
            template = authorize_template_use(session.get(SessionTemplate, template_id), actor.user_id)
        chosen = given_assistant or _find_default_assistant(template, assistants)
        conversation = AssistantSession.new(
            name=checked_title,
            assistant=chosen.key,
            creator_id=actor.user_id,
            extra=checked_metadata,
            category=template.category if given_category is None else given_category,
            tags=template.tags if given_tags is None else given_tags,
            prompt=template.prompt or None,
        )
        session.add(conversation)
        session.flush()
        _insert_first_messages(transaction, conversation, actor.user_id, chosen, template.messages)
        session.add(
            Membership(
                conversation_id=conversation.id,
                user_id=actor.user_id,
                role="manager",
                last_read_seq=conversation.last_event,
            )
        )
        transaction.send_on_commit(sidebar_changed, [actor.user_id])
        return conversation.id

    return write(change)


def _find_default_assistant(template: SessionTemplate, assistants: Mapping[str, Assistant]) -> Assistant:
    if template.assistant is None:
        return next(iter(assistants.values()))
    if template.assistant not in assistants:
        raise Conflict("The assistant of this template is no longer available. Choose another one.")
    return assistants[template.assistant]


def _insert_first_messages(
    transaction: Transaction,
    conversation: Conversation,
    user_id: int,
    assistant: Assistant,
    messages: Sequence[Mapping[str, str]],
) -> None:
    """Store the first messages of a template in a new session. The assistant does not answer them."""
    question: int | None = None
    for message in messages:
        if message["role"] == "user":
            columns: dict[str, Any] = {"sender_type": "user", "sender_id": user_id, "client_id": str(uuid.uuid4())}
            question = insert_message(transaction, conversation, content=message["content"], **columns).seq
        else:
            insert_message(
                transaction,
                conversation,
                sender_type="assistant",
                sender_name=assistant.display_name,
                content=message["content"],
                state="complete",
                reply_to=question,
                asker_id=user_id,
                # Readers of a public link or an export must not take it for what the assistant has answered.
                extra={"template": True},
            )


def get_assistant(name: str) -> Assistant:
    """Return the configured assistant of this name. Raises `NotFound`."""
    assistant = find_assistant(name)
    if assistant is None:
        raise NotFound("There is no such assistant.")
    return assistant


def change_session(
    actor: Actor,
    session_id: int,
    *,
    title: str | None = None,
    metadata: object = UNCHANGED,
    category: str | None = None,
    tags: Sequence[str] | None = None,
    is_pinned: bool | None = None,
    is_ended: bool = False,
) -> None:
    """Change the actor's session as far as arguments are given, or end it: it becomes read-only.

    Raises what `check_metadata` raises, and `NotFound`, `Invalid`, and `Conflict` if it has ended already.
    """
    checked = {
        "name": None if title is None else _check_title(title),
        "category": None if category is None else clean_category(category),
        "tags": None if tags is None else join_tags(tags),
        "ended_at": now() if is_ended else None,
    }
    changes: dict[str, object] = {column: value for column, value in checked.items() if value is not None}
    if metadata is not UNCHANGED:
        changes["extra"] = check_metadata(metadata)
    if is_pinned is not None:
        changes["pinned_at"] = now() if is_pinned else None
    sidebar_changes = {column: changes[column] for column in ("name", "pinned_at", "ended_at") if column in changes}

    def change(transaction: Transaction) -> None:
        conversation = _get_own_session(transaction.session, actor, session_id)
        if is_ended and conversation.ended_at is not None:
            raise Conflict("This session has already ended.")
        is_sidebar_changed = any(getattr(conversation, column) != value for column, value in sidebar_changes.items())
        for column, value in changes.items():
            setattr(conversation, column, value)
        if is_sidebar_changed:
            transaction.send_on_commit(sidebar_changed, [actor.user_id])

    write(change)


def _check_title(title: str) -> str:
    checked = clean_line(title, "A title", min_chars=0, max_chars=MAX_TITLE_CHARS)
    if not checked:
        raise Invalid("A session needs a title.")
    return checked


def delete_session(actor: Actor, session_id: int) -> None:
    """Delete the actor's session with its messages. Raises `NotFound`."""
    ref = assistant_ref(session_id)

    def change(transaction: Transaction) -> None:
        conversation = _get_own_session(transaction.session, actor, session_id)
        delete_conversation(transaction, conversation.id)
        revoke(transaction, membership_revoked, MembershipRevoked(ref, actor.user_id))
        transaction.send_on_commit(sidebar_changed, [actor.user_id])

    write(change)
    delete_archive(ref)


def _get_own_session(session: Session, actor: Actor, session_id: int) -> Conversation:
    access = find_access_of(session, assistant_ref(session_id), actor)
    conversation = authorize_session_management(*access, is_admin=False)
    if not conversation.is_private:
        raise NotFound("There is no such session.")
    return conversation
