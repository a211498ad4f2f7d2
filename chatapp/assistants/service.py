"""What is written about conversations with assistants. Each function permits within the transaction it writes in."""

from collections.abc import Iterable

from sqlalchemy import delete
from sqlalchemy.orm import Session

from chatapp.actors import Actor, is_admin, require_active_login
from chatapp.conversations.kinds import AssistantSession, SharedAssistant
from chatapp.conversations.names import ConversationName, assistant_name
from chatapp.conversations.policy import authorize_session_management
from chatapp.conversations.queries import find_access_of, list_shared_conversations
from chatapp.conversations.signals import MembershipRevoked, membership_revoked, sidebar_changed
from chatapp.errors import Conflict, Invalid, NotFound
from chatapp.models import Conversation, Membership, now
from chatapp.timeline import Transaction, write
from chatapp.timeline.cleanup import Trim, plan_clearing, trim

TITLE_LENGTH = 80


def share_with_all(names: Iterable[str]) -> None:
    """Make the conversation that everybody has with each of these assistants, where there is none yet."""

    def change(transaction: Transaction) -> None:
        session = transaction.session
        known = {conversation.assistant for conversation in list_shared_conversations(session)}
        for name in sorted(set(names) - known):
            session.add(SharedAssistant.new(assistant=name))

    write(change)


def start_session(actor: Actor, assistant: str, title: str = "") -> int:
    """Begin a conversation of one's own with an assistant. Gives its id. Raises `SignedOut`, `Invalid`.

    Without a title it gets one by its first message.
    """
    checked = _check_title(title)

    def change(transaction: Transaction) -> int:
        session = transaction.session
        require_active_login(session, actor)
        conversation = AssistantSession.new(name=checked, assistant=assistant, creator_id=actor.user_id)
        session.add(conversation)
        session.flush()
        session.add(Membership(conversation_id=conversation.id, user_id=actor.user_id, role="manager"))
        transaction.send_on_commit(sidebar_changed, [actor.user_id])
        return conversation.id

    return write(change)


def rename_session(actor: Actor, session_id: int, title: str) -> None:
    """Give a session of one's own another title. Raises `NotFound`, `Invalid`."""
    checked = _check_title(title)
    if not checked:
        raise Invalid("A session needs a title.")

    def change(transaction: Transaction) -> None:
        _own(transaction.session, actor, session_id).name = checked
        transaction.send_on_commit(sidebar_changed, [actor.user_id])

    write(change)


def end_session(actor: Actor, session_id: int) -> None:
    """Let a session of one's own be read only. Raises `NotFound`, `Conflict`."""

    def change(transaction: Transaction) -> None:
        conversation = _own(transaction.session, actor, session_id)
        if conversation.ended_at is not None:
            raise Conflict("This session has ended already.")
        conversation.ended_at = now()
        transaction.send_on_commit(sidebar_changed, [actor.user_id])

    write(change)


def delete_session(actor: Actor, session_id: int) -> None:
    """Remove a session of one's own, with all that was said. Raises `NotFound`."""

    def change(transaction: Transaction) -> None:
        conversation = _own(transaction.session, actor, session_id)
        transaction.session.execute(delete(Conversation).where(Conversation.id == conversation.id))
        transaction.send_revocation(membership_revoked, MembershipRevoked(conversation.wire_name, actor.user_id))
        transaction.send_on_commit(sidebar_changed, [actor.user_id])

    write(change)


def clear(actor: Actor, name: ConversationName) -> int:
    """Remove all messages that a conversation with an assistant has. Gives how many went.

    Raises what `authorize_session_management` raises, and `SignedOut`.
    """

    def plan(transaction: Transaction) -> Trim:
        session = transaction.session
        place = find_access_of(session, name, actor)
        return plan_clearing(authorize_session_management(*place, is_admin=is_admin(session, actor)))

    return sum(trim(write(plan)))


def _own(session: Session, actor: Actor, session_id: int) -> Conversation:
    place = find_access_of(session, assistant_name(session_id), actor)
    conversation = authorize_session_management(*place, is_admin=False)
    if not conversation.is_private:
        raise NotFound("There is no such session.")
    return conversation


def _check_title(value: str) -> str:
    line = " ".join(value.split())
    if not line.isprintable() or len(line) > TITLE_LENGTH:
        raise Invalid(f"A title has at most {TITLE_LENGTH} printable characters.")
    return line
