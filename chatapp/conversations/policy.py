"""Who may do what in a conversation: the same functions for pages, socket events and forms.

The functions look at rows and raise; where the rows come from (a reader's snapshot, the writer's transaction) is the
caller's. What one may not know of raises `NotFound`, what one may see but not do `Forbidden`.
"""

from chatapp.actors import Actor
from chatapp.errors import Archived, ChatError, Forbidden, NotFound
from chatapp.models import Conversation, Membership, Message


def no_such_conversation() -> NotFound:
    """Give the one answer for what does not exist and for what this person may not know of."""
    return NotFound("There is no such conversation, or you are not in it.")


def authorize_viewing(conversation: Conversation | None, membership: Membership | None) -> Conversation:
    """Let pass whoever may know that the conversation exists. Raises `NotFound`."""
    if conversation is None or (conversation.is_private and membership is None):
        raise no_such_conversation()
    return conversation


def authorize_reading(conversation: Conversation | None, membership: Membership | None) -> Conversation:
    """Let pass whoever may read: members, and everybody where it is open to all. Raises `NotFound`, `Forbidden`."""
    seen = authorize_viewing(conversation, membership)
    if membership is None and not is_open_to_all(seen):
        raise Forbidden("Join this room to read and write in it.")
    return seen


def authorize_posting(conversation: Conversation | None, membership: Membership | None) -> Conversation:
    """Let pass whoever may write: readers, unless it has ended or the other one of two blocks them.

    Raises `NotFound`, `Forbidden`, `Archived`.
    """
    read = authorize_reading(conversation, membership)
    if read.is_archived:
        what = "session has ended" if read.kind == "assistant" else "room is archived"
        raise Archived(f"This {what}: it can be read, not written to.")
    if membership is not None and membership.is_blocked:
        raise Forbidden("This person takes no direct messages from you.")
    return read


def may_post(conversation: Conversation | None, membership: Membership | None) -> bool:
    """Tell whether `authorize_posting` lets pass."""
    try:
        authorize_posting(conversation, membership)
    except ChatError:
        return False
    return True


def authorize_management(conversation: Conversation | None, membership: Membership | None) -> Conversation:
    """Let pass a room's managers. Raises `NotFound`, `Forbidden`."""
    seen = authorize_viewing(conversation, membership)
    if not is_manager(membership):
        raise Forbidden("Only a manager of this room may do that.")
    return seen


def authorize_session_management(
    conversation: Conversation | None, membership: Membership | None, *, is_admin: bool
) -> Conversation:
    """Let pass who looks after a conversation with an assistant: the owner of a session, an admin for the shared one.

    Raises `NotFound`, `Forbidden`.
    """
    seen = authorize_viewing(conversation, membership)
    if seen.kind != "assistant":
        raise NotFound("That is no conversation with an assistant.")
    if not is_manager(membership) and not (is_admin and not seen.is_private):
        raise Forbidden("Only an admin may do that in the conversation that everybody shares.")
    return seen


def may_manage_session(conversation: Conversation | None, membership: Membership | None, *, is_admin: bool) -> bool:
    """Tell whether `authorize_session_management` lets pass."""
    try:
        authorize_session_management(conversation, membership, is_admin=is_admin)
    except ChatError:
        return False
    return True


def authorize_answer_control(message: Message, actor: Actor, membership: Membership | None, *, is_admin: bool) -> None:
    """Let pass who may end an assistant's answer or ask for another: its asker, managers and admins.

    Raises `Forbidden`.
    """
    if message.asker_id != actor.user_id and not is_manager(membership) and not is_admin:
        raise Forbidden("Only who asked, or a manager, may do that.")


def authorize_editing(message: Message, actor: Actor) -> None:
    """Let pass whoever wrote the message. Raises `Forbidden`."""
    if message.sender_id != actor.user_id:
        raise Forbidden("Only who wrote a message may edit it.")


def authorize_deletion(
    conversation: Conversation, message: Message, actor: Actor, membership: Membership | None, *, is_admin: bool
) -> None:
    """Let pass whoever wrote the message; except among a few in private the managers and the admins too.

    Raises `Forbidden`.
    """
    is_in_charge = conversation.kind != "direct" and (is_admin or is_manager(membership))
    if message.sender_id != actor.user_id and not is_in_charge:
        raise Forbidden("Only who wrote a message, or a manager, may delete it.")


def is_open_to_all(conversation: Conversation) -> bool:
    """Tell whether one reads and writes without being a member: in the general chat, and with an assistant together."""
    return conversation.kind == "general" or (conversation.kind == "assistant" and not conversation.is_private)


def is_manager(membership: Membership | None) -> bool:
    """Tell whether the membership is a manager's."""
    return membership is not None and membership.role == "manager"
