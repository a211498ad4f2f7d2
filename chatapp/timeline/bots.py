"""Messages of bots, which incoming webhooks post."""

from sqlalchemy import select

from chatapp.conversations.refs import ConversationRef
from chatapp.errors import Archived
from chatapp.files.rows import fetch_files
from chatapp.models import Conversation, Message
from chatapp.storage import Transaction
from chatapp.timeline.content import NOTICE
from chatapp.timeline.event_numbers import lock_conversation
from chatapp.timeline.mentions import MentionSource, resolve_mentions, store_mentions
from chatapp.timeline.messages import TimelineMessage, fetch_message, insert_message
from chatapp.timeline.posted_files import NO_FILES, PostedFiles
from chatapp.timeline.signals import MessagesStored, messages_posted, messages_stored


def store_bot_message(
    transaction: Transaction,
    conversation: Conversation,
    bot_name: str,
    content: str,
    client_id: str | None,
    *,
    posted: PostedFiles = NO_FILES,
    uploader_id: int | None = None,
) -> TimelineMessage:
    """Store a message of the bot called `bot_name`, within the caller's transaction, and return it.

    The `posted` files are uploads of a user, to whose limits they count.

    A repeated `client_id` returns the message that is already stored as it was posted, not in its current state: a
    webhook may post to the room, but not read it. Raises `Archived`, and what is wrong with the files.
    """
    session = transaction.session
    lock_conversation(session, conversation.id)
    if conversation.is_archived:
        raise Archived("This room is archived: nothing can be posted to it.")
    if client_id is not None:
        known = session.scalars(
            select(Message).where(
                Message.client_id == client_id,
                Message.sender_id.is_(None),
                Message.conversation_id == conversation.id,
            )
        ).one_or_none()
        if known is not None:
            return TimelineMessage(
                conversation=ConversationRef.of(conversation),
                id=known.id,
                seq=known.seq,
                version=known.seq,
                sender_type="system",
                message_type=NOTICE,
                sender_name=known.sender_name,
                content=content,
                client_id=client_id,
                created_at=known.created_at,
                files=fetch_files(session, [known.id]).get(known.id, ()),
            )
    if posted.error is not None:
        raise posted.error
    message = insert_message(
        transaction,
        conversation,
        sender_type="system",
        message_type=NOTICE,
        sender_name=bot_name,
        content=content,
        client_id=client_id,
        files=posted.files,
        uploader_id=uploader_id,
    )
    (mentioned,) = resolve_mentions(session, [MentionSource(conversation, None, None, content)])
    store_mentions(session, [(message.conversation_id, message.id, message.seq, True, person) for person in mentioned])
    stored = fetch_message(session, ConversationRef.of(conversation), message.id)
    transaction.send_on_commit(messages_posted, [stored])
    transaction.send(messages_stored, MessagesStored(transaction, [stored]))
    return stored
