"""Writes of conversations with assistants. Each function authorizes within the transaction that it writes in."""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from chatapp.actors import Actor, require_active_login
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
from chatapp.timeline.cleanup import delete_conversation

MAX_TITLE_CHARS = 80


def create_shared_conversations(assistants: Iterable[str]) -> None:
    """Create the conversation that all users share with each of these assistants, where it does not exist yet."""

    def change(transaction: Transaction) -> None:
        session = transaction.session
        existing = {conversation.assistant for conversation in list_shared_conversations(session)}
        for name in sorted(set(assistants) - existing):
            session.add(SharedAssistant.new(assistant=name))

    write(change)


def start_session(actor: Actor, assistant: str, title: str = "") -> int:
    """Start an assistant session of the actor and return its id. Raises `SignedOut`, `Invalid`, `RateLimited`.

    A session without a title is named after its first message.
    """
    checked_title = clean_line(title, "A title", min_chars=0, max_chars=MAX_TITLE_CHARS)
    count_use(CONVERSATIONS, actor.user_id)

    def change(transaction: Transaction) -> int:
        session = transaction.session
        require_active_login(session, actor)
        conversation = AssistantSession.new(name=checked_title, assistant=assistant, creator_id=actor.user_id)
        session.add(conversation)
        session.flush()
        session.add(Membership(conversation_id=conversation.id, user_id=actor.user_id, role="manager"))
        transaction.send_on_commit(sidebar_changed, [actor.user_id])
        return conversation.id

    return write(change)


def rename_session(actor: Actor, session_id: int, title: str) -> None:
    """Change the title of the actor's session. Raises `NotFound`, `Invalid`."""
    checked_title = clean_line(title, "A title", min_chars=0, max_chars=MAX_TITLE_CHARS)
    if not checked_title:
        raise Invalid("A session needs a title.")

    def change(transaction: Transaction) -> None:
        conversation = _get_own_session(transaction.session, actor, session_id)
        if conversation.name != checked_title:
            conversation.name = checked_title
            transaction.send_on_commit(sidebar_changed, [actor.user_id])

    write(change)


def end_session(actor: Actor, session_id: int) -> None:
    """End the actor's session: it becomes read-only. Raises `NotFound`, `Conflict`."""

    def change(transaction: Transaction) -> None:
        conversation = _get_own_session(transaction.session, actor, session_id)
        if conversation.ended_at is not None:
            raise Conflict("This session has already ended.")
        conversation.ended_at = now()
        transaction.send_on_commit(sidebar_changed, [actor.user_id])

    write(change)


def delete_session(actor: Actor, session_id: int) -> None:
    """Delete the actor's session with its messages. Raises `NotFound`."""

    def change(transaction: Transaction) -> None:
        conversation = _get_own_session(transaction.session, actor, session_id)
        delete_conversation(transaction, conversation.id)
        revoke(transaction, membership_revoked, MembershipRevoked(conversation.wire_name, actor.user_id))
        transaction.send_on_commit(sidebar_changed, [actor.user_id])

    write(change)


def _get_own_session(session: Session, actor: Actor, session_id: int) -> Conversation:
    access = find_access_of(session, assistant_ref(session_id), actor)
    conversation = authorize_session_management(*access, is_admin=False)
    if not conversation.is_private:
        raise NotFound("There is no such session.")
    return conversation
