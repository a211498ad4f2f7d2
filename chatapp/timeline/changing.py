"""Changing what was posted: editing, deleting, reacting. Each change takes the conversation's next event number."""

import unicodedata
from collections.abc import Callable

from sqlalchemy import delete as delete_rows
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chatapp.actors import Actor, is_admin, require_active_login
from chatapp.conversations.names import ConversationName
from chatapp.conversations.policy import authorize_deletion, authorize_editing, authorize_posting
from chatapp.conversations.queries import is_named
from chatapp.errors import Conflict, Invalid, NotFound
from chatapp.models import Conversation, Membership, Message, Reaction, now
from chatapp.storage import Transaction, write
from chatapp.timeline.content import check_content
from chatapp.timeline.mentions import Draft, find_mentions, remove_mentions, store_mentions
from chatapp.timeline.messages import TimelineMessage, fetch_message, next_seq
from chatapp.timeline.signals import message_changed

REACTION_KINDS = 20
"""Different emoji under one message at the most."""

Alter = Callable[[Session, Conversation, Message, Membership | None], bool]
"""Changes the row and tells whether it did: what changes nothing takes no number."""


def edit(conversation: ConversationName, actor: Actor, seq: int, *, content: object) -> TimelineMessage:
    """Give one's own message another content, and give it as it is now.

    Raises what `check_content` and `authorize_posting` raise, `NotFound`, `Forbidden`, and `Conflict` for a deleted
    one.
    """
    checked = check_content(content)

    def alter(session: Session, here: Conversation, message: Message, membership: Membership | None) -> bool:
        authorize_editing(message, actor)
        if message.deleted_at is not None:
            raise Conflict("This message was deleted.")
        if message.content == checked:
            return False
        message.content, message.edited_at = checked, now()
        remove_mentions(session, message.id)
        (people,) = find_mentions(session, [Draft(here, membership, actor.user_id, checked)])
        store_mentions(session, ((here.id, message.id, message.seq, person) for person in people))
        return True

    return write(_change(conversation, actor, seq, alter))


def delete(conversation: ConversationName, actor: Actor, seq: int) -> TimelineMessage:
    """Take a message's content and reactions away; its place in the timeline stays. Gives it as it is now.

    Raises what `authorize_posting` raises, `NotFound` and `Forbidden`.
    """

    def alter(session: Session, here: Conversation, message: Message, membership: Membership | None) -> bool:
        authorize_deletion(here, message, actor, membership, is_admin=is_admin(session, actor))
        if message.deleted_at is not None:
            return False
        message.content, message.deleted_at = "", now()
        remove_mentions(session, message.id)
        session.execute(delete_rows(Reaction).where(Reaction.message_id == message.id))
        return True

    return write(_change(conversation, actor, seq, alter))


def react(conversation: ConversationName, actor: Actor, seq: int, reaction: object, *, on: bool) -> TimelineMessage:
    """Put an emoji under a message, or take one's own back (`on` false). Gives the message as it is now.

    Raises `Invalid` for what is no emoji, what `authorize_posting` raises, `NotFound`, and `Conflict` for a deleted
    message.
    """
    emoji = check_reaction(reaction)

    def alter(session: Session, _here: Conversation, message: Message, _membership: Membership | None) -> bool:
        if message.deleted_at is not None:
            raise Conflict("This message was deleted.")
        mine = session.get(Reaction, (message.id, actor.user_id, emoji))
        if (mine is not None) == on:
            return False
        if mine is not None:
            session.delete(mine)
            return True
        kinds = select(func.count(Reaction.reaction.distinct())).where(
            Reaction.message_id == message.id, Reaction.reaction != emoji
        )
        if session.scalars(kinds).one() >= REACTION_KINDS:
            raise Conflict(f"A message has at most {REACTION_KINDS} different reactions.")
        session.add(Reaction(message_id=message.id, user_id=actor.user_id, reaction=emoji))
        return True

    return write(_change(conversation, actor, seq, alter))


def check_reaction(value: object) -> str:
    """Give the emoji. Raises `Invalid` for what is none."""
    if isinstance(value, str) and 1 <= len(value) <= 16:
        categories = {unicodedata.category(character) for character in value}
        # Symbols, with the modifiers, joiners and selectors that emoji are built with.
        if "So" in categories and categories <= {"So", "Sk", "Cf", "Mn", "Me", "Po", "Sm"}:
            return value
    raise Invalid("reaction must be one emoji.")


def _change(name: ConversationName, actor: Actor, seq: int, alter: Alter) -> Callable[[Transaction], TimelineMessage]:
    def change(transaction: Transaction) -> TimelineMessage:
        session = transaction.session
        require_active_login(session, actor)
        locked = session.scalars(
            select(Conversation).where(is_named(name)).with_for_update().execution_options(populate_existing=True)
        ).one_or_none()
        membership = session.get(Membership, (name.id, actor.user_id), populate_existing=True)
        conversation = authorize_posting(locked, membership)
        message = session.scalars(
            select(Message).where(Message.conversation_id == conversation.id, Message.seq == seq)
        ).one_or_none()
        if message is None:
            raise NotFound("There is no such message.")
        has_changed = alter(session, conversation, message, membership)
        if has_changed:
            message.version = next_seq(conversation)
            session.flush()
        changed = fetch_message(session, conversation, message.id)
        if has_changed:
            transaction.send_on_commit(message_changed, changed)
        return changed

    return change
