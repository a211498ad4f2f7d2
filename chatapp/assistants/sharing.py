"""Public links: at a secret address everybody reads a conversation with an assistant, until the link is revoked."""

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from chatapp.actors import Actor, is_admin
from chatapp.conversations.names import ConversationName
from chatapp.conversations.policy import authorize_session_management
from chatapp.conversations.queries import find_access_of
from chatapp.errors import NotFound
from chatapp.models import Conversation, ShareLink
from chatapp.timeline import Transaction, write
from chatapp.tokens import new_token


def share(actor: Actor, name: ConversationName) -> str:
    """Make a conversation's public link and give its token; the one that it has if there is one.

    Raises what `authorize_session_management` raises, and `SignedOut`.
    """

    def change(transaction: Transaction) -> str:
        session = transaction.session
        conversation = _keep(session, actor, name)
        # Two who share at once get one link.
        session.refresh(conversation, with_for_update=True)
        link = session.get(ShareLink, conversation.id)
        if link is None:
            link = ShareLink(conversation_id=conversation.id, token=new_token(), creator_id=actor.user_id)
            session.add(link)
            session.flush()
        return link.token

    return write(change)


def unshare(actor: Actor, name: ConversationName) -> None:
    """Revoke a conversation's public link.

    Raises what `authorize_session_management` raises, and `SignedOut`.
    """

    def change(transaction: Transaction) -> None:
        conversation = _keep(transaction.session, actor, name)
        transaction.session.execute(delete(ShareLink).where(ShareLink.conversation_id == conversation.id))

    write(change)


def find_token(session: Session, conversation_id: int) -> str | None:
    """Find the token of a conversation's public link. It permits nothing."""
    return session.scalars(select(ShareLink.token).where(ShareLink.conversation_id == conversation_id)).one_or_none()


def get_shared(session: Session, token: str) -> Conversation:
    """Give the conversation that everybody may read at this token's address. Raises `NotFound`."""
    # PostgreSQL cannot even be asked for NUL.
    found = (
        None
        if "\0" in token
        else session.scalars(
            select(Conversation)
            .join(ShareLink, ShareLink.conversation_id == Conversation.id)
            .where(ShareLink.token == token)
        ).one_or_none()
    )
    if found is None:
        raise NotFound("Nothing is shared at this address, or not any more.")
    return found


def _keep(session: Session, actor: Actor, name: ConversationName) -> Conversation:
    return authorize_session_management(*find_access_of(session, name, actor), is_admin=is_admin(session, actor))
