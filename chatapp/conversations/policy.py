"""Authorization: who may do what in a conversation, for pages, the API, socket events and commands.

The functions take rows and raise errors. The caller reads the rows in a reader's snapshot or in the writer's
transaction. `NotFound` is raised if the user may not know that the conversation exists, `Forbidden` if they may know it
but not perform the operation.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import ParamSpec, TypeVar

from chatapp.actors import Actor
from chatapp.conversations.kinds import ConversationColumns, MembershipColumns, is_manager, kind_of
from chatapp.errors import Archived, ChatError, Forbidden, NotFound
from chatapp.models import Conversation, Deletion, Membership, Message, now

P = ParamSpec("P")
C = TypeVar("C", bound=ConversationColumns)

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def no_such_conversation() -> NotFound:
    """Return the same error for a conversation that does not exist and for one that the user may not know about."""
    return NotFound("This conversation does not exist, or you are not a member.")


def direct_messages_refused() -> Forbidden:
    """Return the error for a user who is blocked: by the other person, or by one of a group that they want to start."""
    return Forbidden("This person does not accept direct messages from you.")


def authorize_viewing(conversation: C | None, membership: MembershipColumns | None) -> C:
    """Return the conversation if the user may know that it exists. Raises `NotFound`."""
    if conversation is None or (conversation.is_private and membership is None):
        raise no_such_conversation()
    return conversation


def may_view(conversation: ConversationColumns | None, membership: MembershipColumns | None) -> bool:
    """Return whether the user may know that the conversation exists: whether `authorize_viewing` succeeds."""
    return _succeeds(authorize_viewing, conversation, membership)


def authorize_reading(conversation: C | None, membership: MembershipColumns | None) -> C:
    """Return the conversation if the user may read it. Raises `NotFound`, `Forbidden`."""
    visible = authorize_viewing(conversation, membership)
    if membership is None and not kind_of(visible).is_open_to_all:
        raise Forbidden("Join this room to read and post messages.")
    return visible


def may_read(conversation: ConversationColumns | None, membership: MembershipColumns | None) -> bool:
    """Return whether the user may read the conversation: whether `authorize_reading` succeeds."""
    return _succeeds(authorize_reading, conversation, membership)


def authorize_posting(conversation: C | None, membership: MembershipColumns | None) -> C:
    """Return the conversation if the user may post to it: read it, unless it is archived or the user is blocked.

    Raises `NotFound`, `Forbidden`, `Archived`.
    """
    readable = authorize_reading(conversation, membership)
    if readable.is_archived:
        raise Archived(kind_of(readable).archived_text)
    if membership is not None and membership.is_blocked:
        raise direct_messages_refused()
    return readable


def authorize_notice(
    conversation: ConversationColumns, membership: MembershipColumns | None, *, is_admin: bool
) -> None:
    """Raise `Forbidden` unless the user may post messages of the type `system`: moderate the conversation."""
    if not kind_of(conversation).may_moderate(membership, is_admin=is_admin):
        raise Forbidden("Only managers and admins may post messages of the type “system”.")


def may_post(conversation: ConversationColumns | None, membership: MembershipColumns | None) -> bool:
    """Return whether the user may post to the conversation: whether `authorize_posting` succeeds."""
    return _succeeds(authorize_posting, conversation, membership)


def authorize_management(conversation: Conversation | None, membership: Membership | None) -> Conversation:
    """Return the room if the user is one of its managers. Raises `NotFound`, `Forbidden`."""
    visible = authorize_viewing(conversation, membership)
    if not kind_of(visible).may_manage(membership, is_admin=False):
        raise Forbidden("Only managers of this room may do this.")
    return visible


def authorize_session_management(
    conversation: Conversation | None, membership: Membership | None, *, is_admin: bool
) -> Conversation:
    """Return the conversation with an assistant if the user may rename, share or delete it.

    The owner of a session may, and an admin in a shared conversation. Raises `NotFound`, `Forbidden`.
    """
    visible = _require_assistant(authorize_viewing(conversation, membership))
    if not kind_of(visible).may_manage(membership, is_admin=is_admin):
        raise Forbidden("Only admins may do this in a shared conversation.")
    return visible


def authorize_clearing(
    conversation: Conversation | None, membership: Membership | None, *, is_admin: bool
) -> Conversation:
    """Return the conversation if the user may remove all its messages: read and moderate it.

    Raises `NotFound`, `Forbidden`.
    """
    readable = authorize_reading(conversation, membership)
    if not kind_of(readable).may_moderate(membership, is_admin=is_admin):
        raise Forbidden("Only managers and admins may clear the history of a conversation.")
    return readable


def authorize_sharing(
    conversation: Conversation | None, membership: Membership | None, *, is_admin: bool, has_share_links: bool
) -> Conversation:
    """Return the conversation if the user may create its share link: manage it, unless admins switched links off.

    Raises what `authorize_session_management` raises, and `Forbidden`.
    """
    managed = authorize_session_management(conversation, membership, is_admin=is_admin)
    if not has_share_links:
        raise Forbidden("An admin has switched public links off.")
    return managed


def may_share(
    conversation: Conversation | None, membership: Membership | None, *, is_admin: bool, has_share_links: bool
) -> bool:
    """Return whether the user may create a share link: whether `authorize_sharing` succeeds."""
    return _succeeds(authorize_sharing, conversation, membership, is_admin=is_admin, has_share_links=has_share_links)


def authorize_export(conversation: Conversation | None, membership: Membership | None) -> Conversation:
    """Return the conversation with an assistant if the user may read it. Raises `NotFound`."""
    return _require_assistant(authorize_reading(conversation, membership))


def authorize_answer_control(message: Message, actor: Actor, membership: Membership | None, *, is_admin: bool) -> None:
    """Raise `Forbidden` unless the user may stop or retry an assistant's answer: its asker, managers and admins."""
    if message.asker_id != actor.user_id and not is_manager(membership) and not is_admin:
        raise Forbidden("Only the person who asked, or a manager, may do this.")


def authorize_pinning(conversation: C | None, membership: MembershipColumns | None, *, is_admin: bool) -> C:
    """Return the conversation if the user may pin its messages: post to it, and moderate it if somebody does.

    Raises what `authorize_posting` raises.
    """
    writable = authorize_posting(conversation, membership)
    if not kind_of(writable).may_pin(membership, is_admin=is_admin):
        raise Forbidden("Only managers and admins may pin messages.")
    return writable


def may_pin(conversation: ConversationColumns | None, membership: MembershipColumns | None, *, is_admin: bool) -> bool:
    """Return whether the user may pin messages of the conversation: whether `authorize_pinning` succeeds."""
    return _succeeds(authorize_pinning, conversation, membership, is_admin=is_admin)


def authorize_editing(message: Message, actor: Actor, *, limit_seconds: int) -> None:
    """Raise `Forbidden` unless the user sent the message, within the limit. A limit of 0 is none."""
    if message.sender_id != actor.user_id:
        raise Forbidden("You can edit only your own messages.")
    if _is_older(message, limit_seconds):
        raise Forbidden(f"Messages can be edited only within {_describe(limit_seconds)} after they were sent.")


def authorize_deletion(
    conversation: ConversationColumns,
    message: Message,
    actor: Actor,
    membership: MembershipColumns | None,
    *,
    is_admin: bool,
    limit_seconds: int,
) -> None:
    """Raise `Forbidden` unless the user sent the message, within the limit, or moderates the conversation.

    A limit of 0 is none.
    """
    if kind_of(conversation).may_moderate(membership, is_admin=is_admin):
        return
    if message.sender_id != actor.user_id:
        raise Forbidden("You can delete only your own messages.")
    if _is_older(message, limit_seconds):
        raise Forbidden(f"Messages can be deleted only within {_describe(limit_seconds)} after they were sent.")


def authorize_preview_removal(
    conversation: ConversationColumns,
    message: Message,
    actor: Actor,
    membership: MembershipColumns | None,
    *,
    is_admin: bool,
) -> None:
    """Raise `Forbidden` unless the user sent the message or moderates the conversation."""
    if message.sender_id != actor.user_id and not kind_of(conversation).may_moderate(membership, is_admin=is_admin):
        raise Forbidden("You can remove only the previews of your own messages.")


def authorize_undeletion(deletion: Deletion, user_id: int) -> None:
    """Raise `Forbidden` unless the user deleted the message."""
    if deletion.user_id != user_id:
        raise Forbidden("Only the person who deleted a message can restore it.")


def _is_older(message: Message, limit_seconds: int) -> bool:
    """Return whether the server accepted a message longer ago than the limit, if there is one.

    A message that was pending counts from then, too. Clocks of processes may differ by a little.
    """
    return limit_seconds > 0 and now() - message.created_at > timedelta(seconds=limit_seconds)


def _describe(seconds: int) -> str:
    """Return a time in its largest unit of which it is a multiple."""
    unit, name = next((unit, name) for unit, name in _UNITS if seconds % unit == 0)
    return f"{seconds // unit:,} {name}{'' if seconds == unit else 's'}"


def _require_assistant(conversation: Conversation) -> Conversation:
    if not kind_of(conversation).has_assistant:
        raise NotFound("This conversation is not with an assistant.")
    return conversation


def _succeeds(authorize: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> bool:
    try:
        authorize(*args, **kwargs)
    except ChatError:
        return False
    return True
