"""Queries for transcripts."""

from collections.abc import Iterator, Mapping, Sequence

from chatapp.actors import Actor
from chatapp.assistants.tags import split_tags
from chatapp.config.assistants import current_assistants
from chatapp.conversations.policy import authorize_export
from chatapp.conversations.queries import find_access_of
from chatapp.conversations.refs import ConversationRef
from chatapp.errors import NotFound
from chatapp.extensions import db
from chatapp.models import Conversation
from chatapp.timeline import TimelineMessage, read_page
from chatapp.timeline.quoted import read_quoted
from chatapp.timeline.versions import EarlierVersion, read_versions
from chatapp.transcripts.export import TranscriptHeader

BATCH_SIZE = 200
"""Messages read by one query."""

MAX_PDF_CHARS = 300_000
"""Maximum length of a PDF, which contains the latest messages. The other formats contain all."""

CHARS_PER_MESSAGE = 100
"""Characters that each message counts for in a PDF besides its content: its sender, and space."""


def get_readable(ref: ConversationRef, actor: Actor) -> Conversation:
    """Return the conversation with an assistant, if the actor may read it.

    Raises what `authorize_export` raises, and `SignedOut`.
    """
    return authorize_export(*find_access_of(db.session(), ref, actor))


def iterate_messages(ref: ConversationRef, actor: Actor, last_event: int) -> Iterator[TimelineMessage]:
    """Yield all messages up to the event number `last_event`.

    The actor is authorized again for each batch, and no database connection is held between them: the client may read
    slowly.
    """
    for _, messages in _iterate_batches(ref, actor, last_event):
        db.session.remove()
        yield from (message for message in messages if message.deleted_at is None)


def iterate_replies(
    ref: ConversationRef, actor: Actor, last_event: int
) -> Iterator[tuple[TimelineMessage, TimelineMessage | None]]:
    """Yield each message like `iterate_messages`, with the one that it quotes: None if there is none."""
    for conversation, messages in _iterate_batches(ref, actor, last_event):
        originals = find_originals(conversation, messages)
        db.session.remove()
        yield from ((each, originals.get(each.quoted_seq)) for each in messages if each.deleted_at is None)


def _iterate_batches(
    ref: ConversationRef, actor: Actor, last_event: int
) -> Iterator[tuple[Conversation, Sequence[TimelineMessage]]]:
    after, has_newer = 0, True
    while has_newer:
        conversation = get_readable(ref, actor)
        messages = read_page(db.session(), conversation, after=after, before=last_event + 1, limit=BATCH_SIZE).messages
        yield conversation, messages
        after, has_newer = (messages[-1].seq or last_event if messages else last_event), len(messages) == BATCH_SIZE


def iterate_versions(ref: ConversationRef, actor: Actor, message: TimelineMessage) -> Iterator[EarlierVersion]:
    """Yield the earlier versions of a message, like `iterate_messages`. There are none if it was deleted meanwhile."""
    after, has_newer = 0, True
    while has_newer:
        conversation = get_readable(ref, actor)
        try:
            page = read_versions(db.session(), conversation, message.seq or 0, after=after, limit=BATCH_SIZE)
        except NotFound:
            return
        finally:
            db.session.remove()
        yield from page.versions
        has_newer = page.has_newer
        after = page.versions[-1].version if page.versions else after


def find_originals(
    conversation: Conversation, messages: Sequence[TimelineMessage]
) -> Mapping[int | None, TimelineMessage]:
    """Return the messages that these quote and that were not deleted, by number, with one query."""
    quoted = read_quoted(db.session(), conversation, messages)
    return {message.seq: message for message in (*messages, *quoted) if message.deleted_at is None}


def list_latest_messages(conversation: Conversation) -> tuple[list[TimelineMessage], bool]:
    """List the latest messages that fit into a PDF, and return whether older ones were left out."""
    newest_first: list[TimelineMessage] = []
    chars, before, has_older = 0, conversation.last_event + 1, True
    while has_older:
        batch = read_page(db.session(), conversation, before=before, limit=BATCH_SIZE)
        for message in reversed(batch.messages):
            chars += len(message.content) + CHARS_PER_MESSAGE + (len(str(message.metadata)) if message.metadata else 0)
            if chars > MAX_PDF_CHARS:
                return newest_first[::-1], True
            if message.deleted_at is None:
                newest_first.append(message)
        before, has_older = batch.oldest_seq or 0, batch.has_older
    return newest_first[::-1], False


def transcript_header(conversation: Conversation) -> TranscriptHeader:
    """Return what an export contains about the conversation itself."""
    return TranscriptHeader(
        transcript_title(conversation),
        conversation.extra,
        conversation.category or "",
        split_tags(conversation.tags or ""),
        conversation.prompt or "",
    )


def transcript_title(conversation: Conversation) -> str:
    """Return the title of a session, or the name of the assistant of a shared conversation."""
    if conversation.is_private:
        return conversation.name or "New session"
    assistant = current_assistants().get(conversation.assistant or "")
    return assistant.display_name if assistant else conversation.name or conversation.assistant or ""
