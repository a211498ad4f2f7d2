"""Pictures of people, rooms and assistants: who may see and change them."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from chatapp.actors import Actor, is_admin, require_active_login
from chatapp.audit_log import AuditKind, record
from chatapp.conversations.kinds import SharedAssistant, kind_of
from chatapp.conversations.policy import authorize_management, authorize_session_management, authorize_viewing
from chatapp.conversations.queries import ConversationAccess, find_access_of, list_member_ids
from chatapp.conversations.refs import ConversationRef, assistant_ref
from chatapp.conversations.signals import (
    AssistantPicture,
    all_sidebars_changed,
    assistant_pictures_changed,
    sidebar_changed,
)
from chatapp.errors import Archived, Forbidden, NotFound
from chatapp.files.attached import AttachedFile
from chatapp.files.avatars import avatar_file
from chatapp.models import Conversation, Installation, User
from chatapp.revocations import revoke
from chatapp.storage import ReadStatement, Transaction, write

_CONVERSATIONS = Conversation.__table__

_OF_ASSISTANTS = ReadStatement(
    select(_CONVERSATIONS.c.assistant, _CONVERSATIONS.c.id, _CONVERSATIONS.c.avatar_digest)
    .where(SharedAssistant.condition(), _CONVERSATIONS.c.avatar_digest.is_not(None))
    .order_by(_CONVERSATIONS.c.id)
)


def get_person_avatar(session: Session, digest: str) -> AttachedFile:
    """Return a picture of a person, which everybody may see who is signed in. Raises `NotFound`."""
    if session.scalars(select(User.id).where(User.avatar_digest == digest).limit(1)).first() is None:
        raise NotFound("Nobody has this picture any more.")
    return avatar_file(digest)


def get_conversation_avatar(access: ConversationAccess, digest: str) -> AttachedFile:
    """Return the picture of a conversation, which everybody may see who sees its name. Raises `NotFound`."""
    if authorize_viewing(*access).avatar_digest != digest:
        raise NotFound("This conversation has another picture now, or none.")
    return avatar_file(digest)


def list_assistant_pictures(session: Session) -> tuple[AssistantPicture, ...]:
    """Return the pictures of all assistants that have one."""
    return tuple(
        AssistantPicture(assistant, assistant_ref(conversation_id), digest)
        for assistant, conversation_id, digest in _OF_ASSISTANTS.fetch(session)
    )


def change_own_avatar(actor: Actor, digest: str | None) -> None:
    """Set a user's picture, which is stored already, or remove it. Raises `SignedOut`."""

    def change(transaction: Transaction) -> None:
        require_active_login(transaction.session, actor)
        transaction.session.execute(update(User).where(User.id == actor.user_id).values(avatar_digest=digest))
        # What was rendered with the names and pictures of people is outdated.
        transaction.session.execute(update(Installation).values(people_version=Installation.people_version + 1))

    write(change)


def authorize_avatar(session: Session, actor: Actor, ref: ConversationRef) -> Conversation:
    """Return the room or the shared conversation with an assistant if a user may change its picture.

    Managers may change that of a room, admins that of an assistant. Raises `NotFound`, `Forbidden`, `Archived`.
    """
    access = find_access_of(session, ref, actor)
    kind = kind_of(authorize_viewing(*access))
    if not kind.has_picture:
        raise Forbidden("Only rooms and assistants have pictures.")
    if kind.has_assistant:
        conversation = authorize_session_management(*access, is_admin=is_admin(session, actor))
    else:
        conversation = authorize_management(*access)
    if conversation.is_archived:
        raise Archived(kind.archived_text)
    return conversation


def change_avatar(actor: Actor, ref: ConversationRef, digest: str | None) -> None:
    """Set the picture of a room or an assistant, which is stored already, or remove it.

    Raises what `authorize_avatar` raises.
    """

    def change(transaction: Transaction) -> None:
        conversation = authorize_avatar(transaction.session, actor, ref)
        if conversation.avatar_digest != digest:
            conversation.avatar_digest = digest
            if kind_of(conversation).has_assistant:
                _send_assistant_changed(transaction, actor, conversation)
            else:
                transaction.send_on_commit(sidebar_changed, list_member_ids(transaction.session, conversation.id))

    write(change)


def _send_assistant_changed(transaction: Transaction, actor: Actor, conversation: Conversation) -> None:
    """Record a change of an admin, and send all pictures after the commit. Everybody's sidebar has the assistant.

    Other processes find the change as they find revocations.
    """
    session = transaction.session
    kind = AuditKind.ASSISTANT_PICTURE_CHANGED if conversation.avatar_digest else AuditKind.ASSISTANT_PICTURE_REMOVED
    record(transaction, kind, actor, target=f"@{conversation.name or conversation.assistant}")
    session.flush()
    revoke(transaction, assistant_pictures_changed, list_assistant_pictures(session))
    transaction.send_on_commit(all_sidebars_changed, None)
