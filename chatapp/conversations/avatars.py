"""Pictures of people and rooms: who may see and change them."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from chatapp.actors import Actor, require_active_login
from chatapp.conversations.policy import authorize_management, authorize_viewing
from chatapp.conversations.queries import ConversationAccess, find_access_of, list_member_ids
from chatapp.conversations.refs import ConversationRef
from chatapp.conversations.signals import sidebar_changed
from chatapp.errors import Archived, Forbidden, NotFound
from chatapp.files.attached import AttachedFile
from chatapp.files.avatars import avatar_file
from chatapp.models import Conversation, Installation, User
from chatapp.storage import Transaction, write


def get_person_avatar(session: Session, digest: str) -> AttachedFile:
    """Return a picture of a person, which everybody may see who is signed in. Raises `NotFound`."""
    if session.scalars(select(User.id).where(User.avatar_digest == digest).limit(1)).first() is None:
        raise NotFound("Nobody has this picture any more.")
    return avatar_file(digest)


def get_room_avatar(access: ConversationAccess, digest: str) -> AttachedFile:
    """Return the picture of a room, which everybody may see who sees its name. Raises `NotFound`."""
    if authorize_viewing(*access).avatar_digest != digest:
        raise NotFound("This room has another picture now, or none.")
    return avatar_file(digest)


def change_own_avatar(actor: Actor, digest: str | None) -> None:
    """Set a user's picture, which is stored already, or remove it. Raises `SignedOut`."""

    def change(transaction: Transaction) -> None:
        require_active_login(transaction.session, actor)
        transaction.session.execute(update(User).where(User.id == actor.user_id).values(avatar_digest=digest))
        # What was rendered with the names and pictures of people is outdated.
        transaction.session.execute(update(Installation).values(people_version=Installation.people_version + 1))

    write(change)


def authorize_room_avatar(session: Session, actor: Actor, ref: ConversationRef) -> Conversation:
    """Return the room if a user may change its picture. Raises `NotFound`, `Forbidden`, `Archived`."""
    access = find_access_of(session, ref, actor)
    if authorize_viewing(*access).kind != "room":
        raise Forbidden("Only rooms have pictures.")
    room = authorize_management(*access)
    if room.is_archived:
        raise Archived("This room is archived. Restore it before you change it.")
    return room


def change_room_avatar(actor: Actor, ref: ConversationRef, digest: str | None) -> None:
    """Set the picture of a room, which is stored already, or remove it. Raises `NotFound`, `Forbidden`, `Archived`."""

    def change(transaction: Transaction) -> None:
        room = authorize_room_avatar(transaction.session, actor, ref)
        if room.avatar_digest != digest:
            room.avatar_digest = digest
            transaction.send_on_commit(sidebar_changed, list_member_ids(transaction.session, room.id))

    write(change)
