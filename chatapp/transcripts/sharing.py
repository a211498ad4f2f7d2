"""Share links: anyone with the secret URL can read a conversation with an assistant, until the link is revoked."""

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from chatapp.actors import Actor, is_admin
from chatapp.audit_log import AuditKind, record
from chatapp.conversations.policy import authorize_session_management, authorize_sharing
from chatapp.conversations.queries import find_access_of
from chatapp.conversations.refs import ConversationRef
from chatapp.credentials import SharingChanged, are_share_links_enabled, has_share_links, sharing_changed
from chatapp.errors import NotFound
from chatapp.models import Conversation, ShareLink
from chatapp.storage import Transaction, write
from chatapp.timeline.event_numbers import lock_conversation
from chatapp.tokens import hash_token, new_token


def create_share_link(actor: Actor, ref: ConversationRef) -> None:
    """Create the share link of a conversation, unless it has one.

    Raises what `authorize_sharing` raises, and `SignedOut`.
    """

    def change(transaction: Transaction) -> None:
        session = transaction.session
        conversation = authorize_sharing(
            *find_access_of(session, ref, actor),
            is_admin=is_admin(session, actor),
            has_share_links=are_share_links_enabled(session),
        )
        # The lock lets simultaneous requests create one link.
        lock_conversation(session, conversation.id)
        if session.get(ShareLink, conversation.id) is None:
            session.add(ShareLink(conversation_id=conversation.id, token=new_token(), creator_id=actor.user_id))
            session.flush()
            record(transaction, AuditKind.SHARE_LINK_CREATED, actor, conversation=conversation.wire_name)
            transaction.send_on_commit(sharing_changed, SharingChanged(conversation.wire_name, is_public=True))

    write(change)


def revoke_share_link(actor: Actor, ref: ConversationRef) -> None:
    """Revoke the share link of a conversation.

    Raises what `authorize_session_management` raises, and `SignedOut`.
    """

    def change(transaction: Transaction) -> None:
        conversation = _get_managed(transaction.session, actor, ref)
        revoked = (
            delete(ShareLink).where(ShareLink.conversation_id == conversation.id).returning(ShareLink.conversation_id)
        )
        if transaction.session.scalars(revoked).all():
            record(transaction, AuditKind.SHARE_LINK_REVOKED, actor, conversation=conversation.wire_name)
            transaction.send_on_commit(sharing_changed, SharingChanged(conversation.wire_name, is_public=False))

    write(change)


def find_share_token(session: Session, conversation_id: int) -> str | None:
    """Find the token of a conversation's share link. It does not authorize anything. Raises `Undecryptable`."""
    return session.scalars(select(ShareLink.token).where(ShareLink.conversation_id == conversation_id)).one_or_none()


def get_shared_conversation(session: Session, token: str) -> Conversation:
    """Return the conversation that is shared under this token. Raises `NotFound`."""
    if not token.isascii():  # It could not be hashed.
        raise _no_such_link()
    query = (
        select(Conversation)
        .join(ShareLink, ShareLink.conversation_id == Conversation.id)
        .where(ShareLink.token_hash == hash_token(token), has_share_links())
    )
    conversation = session.scalars(query).one_or_none()
    if conversation is None:
        raise _no_such_link()
    return conversation


def _no_such_link() -> NotFound:
    return NotFound("This link does not exist or was revoked.")


def _get_managed(session: Session, actor: Actor, ref: ConversationRef) -> Conversation:
    return authorize_session_management(*find_access_of(session, ref, actor), is_admin=is_admin(session, actor))
