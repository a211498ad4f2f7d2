"""Writes of conversations with assistants. Each function authorizes within the transaction that it writes in."""

from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from chatapp.actors import Actor, require_active_login
from chatapp.assistants.tags import clean_category, join_tags
from chatapp.config.assistants import Assistant
from chatapp.conversations.kinds import AssistantSession, SharedAssistant
from chatapp.conversations.policy import authorize_session_management
from chatapp.conversations.queries import find_access_of, list_shared_conversations
from chatapp.conversations.refs import assistant_ref
from chatapp.conversations.signals import MembershipRevoked, membership_revoked, sidebar_changed
from chatapp.errors import Conflict, Invalid, NotFound
from chatapp.limits.rates import CONVERSATIONS, count_use
from chatapp.models import Conversation, Membership, now
from chatapp.revocations import revoke
from chatapp.storage import Transaction, write
from chatapp.text import clean_line
from chatapp.timeline.cleanup import delete_archive, delete_conversation
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
    assistant: str,
    *,
    title: str = "",
    metadata: object = None,
    category: str = "",
    tags: Sequence[str] = (),
) -> int:
    """Start a session of the actor with the assistant of this key and return its id.

    A session without a title is named after its first message. Raises what `check_metadata` raises, and `SignedOut`,
    `Invalid`, `RateLimited`.
    """
    columns = {
        "name": clean_line(title, "A title", min_chars=0, max_chars=MAX_TITLE_CHARS),
        "extra": check_metadata(metadata),
        "category": clean_category(category),
        "tags": join_tags(tags),
    }
    count_use(CONVERSATIONS, actor.user_id)

    def change(transaction: Transaction) -> int:
        session = transaction.session
        require_active_login(session, actor)
        conversation = AssistantSession.new(assistant=assistant, creator_id=actor.user_id, **columns)
        session.add(conversation)
        session.flush()
        session.add(Membership(conversation_id=conversation.id, user_id=actor.user_id, role="manager"))
        transaction.send_on_commit(sidebar_changed, [actor.user_id])
        return conversation.id

    return write(change)


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
