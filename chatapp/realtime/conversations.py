"""Events of conversations: joining, leaving, posting, editing, deleting, reacting, pinning."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any

import orjson
from pydantic import Field, StringConstraints

from chatapp.actors import Actor
from chatapp.concurrency.cooperation import checkpoint, in_slices
from chatapp.conversations.kinds import AssistantConversation, ConversationKind, has_assistant, kind_of
from chatapp.conversations.people import Person
from chatapp.conversations.policy import authorize_reading, may_post
from chatapp.conversations.queries import find_reader_access, is_public
from chatapp.conversations.refs import ConversationRef, parse_ref
from chatapp.errors import Busy, ChatError, Unavailable
from chatapp.extensions import db
from chatapp.fallback import LastPage
from chatapp.presentation.messages import present_message, present_versions
from chatapp.presentation.read_state import present_read_receipt
from chatapp.realtime.assistants import current_answer_broadcaster
from chatapp.realtime.channels import news_channel, posters_channel
from chatapp.realtime.handlers import Ack, Caller, EventNumber, Payload, RemovedFiles, Write, handles, prepares
from chatapp.realtime.ordering import EpochChangedError
from chatapp.storage import DATABASE_ERRORS, is_dropped, is_overload
from chatapp.timeline import (
    Head,
    TimelineMessage,
    catch_up,
    delete,
    edit,
    list_pending,
    pin,
    prepare_post,
    react,
    remove_previews,
    undelete,
)
from chatapp.timeline.answers import find_running
from chatapp.timeline.content import TEXT
from chatapp.timeline.metadata import UNCHANGED
from chatapp.timeline.pins import list_pinned_seqs
from chatapp.timeline.posted_files import find_posted_files
from chatapp.timeline.read_receipts import list_read_receipts
from chatapp.timeline.reading import CatchUp
from chatapp.timeline.sizes import limit_size
from chatapp.timeline.versions import read_versions

MAX_LISTED_VERSIONS = 50
"""Maximum number of earlier versions in an acknowledgement."""

MAX_LAST_PAGE_SIZE = 100
"""Maximum number of messages that a client may request when it joins without a cursor."""

MAX_PREVIEW_URL_CHARS = 2_000

READING_COST = 20
"""Events as which one counts that reads many messages: it takes about as much of the processor's time."""


class JoinPayload(Payload):
    """Payload of `join_chat`."""

    conversation: object
    after: EventNumber | None = None
    epoch: Annotated[str, StringConstraints(max_length=64)] | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_LAST_PAGE_SIZE)] | None = None


class LeavePayload(Payload):
    """Payload of `leave_chat`."""

    conversation: object


class SendPayload(Payload):
    """Payload of `send_message`. `timeline.post` validates all fields but the conversation."""

    conversation: object
    content: object = None
    client_id: object = None
    message_type: object = TEXT
    metadata: object = None
    reply_to: EventNumber | None = None
    thread: EventNumber | None = None
    also_in_room: bool = False
    draft: EventNumber | None = None
    files: object = None


class EditPayload(Payload):
    """Payload of `edit_message`. `timeline.edit` validates content and metadata."""

    conversation: object
    seq: EventNumber
    content: object = UNCHANGED
    metadata: object = UNCHANGED
    removed_files: RemovedFiles = Field([])


class DeletePayload(Payload):
    """Payload of `delete_message` and `undelete_message`."""

    conversation: object
    seq: EventNumber


class VersionsPayload(Payload):
    """Payload of `message_versions`."""

    conversation: object
    seq: EventNumber
    before: EventNumber | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_LISTED_VERSIONS)] = MAX_LISTED_VERSIONS


class ReactPayload(Payload):
    """Payload of `react`."""

    conversation: object
    seq: EventNumber
    reaction: object = None
    on: bool = True


class RemovePreviewsPayload(Payload):
    """Payload of `remove_previews`. Without a URL all are removed."""

    conversation: object
    seq: EventNumber
    url: Annotated[str, StringConstraints(max_length=MAX_PREVIEW_URL_CHARS)] | None = None


class PinPayload(Payload):
    """Payload of `pin_message`."""

    conversation: object
    seq: EventNumber
    on: bool = True


@handles("join_chat", JoinPayload, cost=READING_COST)
def join_chat(caller: Caller, payload: JoinPayload) -> Ack:
    """Enter a conversation's channel, then return the events after the cursor.

    In this order no event is missed between the two. Authorization is checked before the socket enters, and again in
    the transaction that reads: a socket whose membership is revoked in between leaves the channel, as does one whose
    membership cannot be read. While the database cannot be read, both come from memory.
    """
    ref = parse_ref(payload.conversation)
    try:
        return _join(caller, ref, payload)
    except DATABASE_ERRORS as error:
        could_post = caller.realtime.fallback.find_access(caller.user.id, ref)
        if is_dropped(error) or could_post is None:
            raise
        return _join_from_memory(caller, ref, payload, may_post=could_post, may_reset=not is_overload(error))


def _join(caller: Caller, ref: ConversationRef, payload: JoinPayload) -> Ack:
    fallback = caller.realtime.fallback
    revision = fallback.revision
    authorize_reading(*find_reader_access(db.session(), ref, caller.user.actor))
    db.session.close()
    caller.enter(ref.wire_name)
    try:
        access = find_reader_access(db.session(), ref, caller.user.actor)
        conversation = authorize_reading(*access)
    except Exception as error:
        caller.leave(ref.wire_name)
        if isinstance(error, ChatError):
            fallback.revoke_access(caller.user.id, ref)  # The evictor may have remembered it meanwhile.
        raise
    _update_channels(caller, ref, may_post=may_post(*access))
    fallback.remember_access(caller.user.id, ref, revision, may_post=may_post(*access))
    missed = catch_up(
        db.session(), conversation, after=payload.after, epoch=payload.epoch, last_page_size=payload.limit
    )
    kind = kind_of(conversation)
    is_shared = kind.has_assistant and is_public(db.session(), conversation.id)
    # The page that is kept for an outage serves everybody: it has as many messages as pages show.
    is_whole = missed.is_reset and not missed.is_cut
    if is_whole and (payload.limit or kind.last_page_size) >= kind.last_page_size:
        fallback.remember_page(conversation, missed.epoch, missed.messages, is_public=is_shared)
    with suppress(EpochChangedError):  # In a new epoch, broadcasting continues after the events that it begins with.
        caller.realtime.positions.check_epoch(missed.epoch)
        caller.realtime.positions.start_at(ref.wire_name, missed.head.last_event)
    return _present_catch_up(
        ref,
        missed,
        answers=_list_answers(ref),
        pins=list_pinned_seqs(db.session(), ref.id) if missed.is_reset else None,
        is_public=is_shared,
        readers=[present_read_receipt(receipt) for receipt in list_read_receipts(db.session(), conversation)],
    )


def _join_from_memory(
    caller: Caller, ref: ConversationRef, payload: JoinPayload, *, may_post: bool, may_reset: bool
) -> Ack:
    """Enter the channel, and return what the client lacks; the last page if that is not known and with `may_reset`."""
    page = caller.realtime.fallback.find_page(ref)
    missed = _catch_up_from_memory(ref, page, payload)
    if missed.is_reset and payload.after is not None and not may_reset:
        raise Busy("Too many people are connecting. Try again in a moment.")
    caller.enter(ref.wire_name)
    _update_channels(caller, ref, may_post=may_post)
    streams = current_answer_broadcaster().present_streams(ref)
    return _present_catch_up(
        ref, missed, answers=streams, pins=None, is_public=page is not None and page.is_public, readers=[]
    )


def _catch_up_from_memory(ref: ConversationRef, page: LastPage | None, payload: JoinPayload) -> CatchUp:
    after, epoch = payload.after, payload.epoch or (page.epoch if page else None)
    if after is not None and epoch is not None and (page is None or after >= page.last_event):
        # A client that knows the last event, or a later one, keeps what it has.
        head = Head(ref, after, page.floor if page else 0)
        return CatchUp(head, epoch, after, after, is_reset=False, is_cut=False, messages=[])
    if page is None:
        raise Unavailable("The database does not respond. Try again in a moment.")
    head = Head(ref, page.last_event, page.floor)
    changed = None if after is None else page.find_events_after(after, epoch)
    if after is not None and changed is not None:
        return CatchUp.of_events(head, page.epoch, after, changed)
    default = AssistantConversation.last_page_size if has_assistant(ref) else ConversationKind.last_page_size
    return CatchUp.of_last_page(head, page.epoch, page.messages[-(payload.limit or default) :])


def _present_catch_up(
    ref: ConversationRef,
    missed: CatchUp,
    *,
    answers: Sequence[Mapping[str, Any]],
    pins: Sequence[int] | None,
    is_public: bool,
    readers: Sequence[Mapping[str, Any]],
) -> Ack:
    pending = list_pending(ref)
    # Together: each call waits for its turn.
    presented = _present_all([*missed.messages, *pending])
    return {
        "conversation": ref.wire_name,
        "epoch": missed.epoch,
        "last_event": missed.head.last_event,
        "floor": missed.head.floor,
        "from": missed.start,
        "to": missed.end,
        "more": missed.has_more,
        "reset": missed.is_reset,
        "messages": presented[: len(missed.messages)],
        "pending": presented[len(missed.messages) :],
        "answers": answers,
        "pins": pins,
        "is_public": is_public,
        "readers": readers,
    }


def _update_channels(caller: Caller, ref: ConversationRef, *, may_post: bool) -> None:
    if may_post:
        caller.enter(posters_channel(ref))
    else:
        caller.leave(posters_channel(ref))
    caller.leave(news_channel(ref.wire_name))


@handles("leave_chat", LeavePayload)
def leave_chat(caller: Caller, payload: LeavePayload) -> None:
    """Leave a conversation's channel; a member's socket receives its news from then on.

    The membership is read again after entering the channel of the news, as in `join_chat`.
    """
    ref = parse_ref(payload.conversation)
    channel = news_channel(ref.wire_name)
    caller.leave(ref.wire_name)
    if not _is_member(ref, caller.user.actor):
        return
    caller.enter(channel)
    try:
        is_member = _is_member(ref, caller.user.actor)
    except Exception:
        caller.leave(channel)
        raise
    if not is_member:
        caller.leave(channel)


def _is_member(ref: ConversationRef, actor: Actor) -> bool:
    is_member = find_reader_access(db.session(), ref, actor).membership is not None
    db.session.close()  # The next read gets a new snapshot.
    return is_member


@prepares("send_message", SendPayload, waiting_field="files")
def send_message(caller: Caller, payload: SendPayload) -> Write[TimelineMessage]:
    """Post a message. A new one is acknowledged without HTML if the socket receives it as `chat_message`, too."""
    ref = parse_ref(payload.conversation)
    realtime = caller.realtime
    posted = find_posted_files(caller.user.id, payload.files)
    post = prepare_post(
        ref,
        caller.user.actor,
        max_chars=realtime.settings.max_message_chars,
        content=payload.content,
        client_id=payload.client_id,
        message_type=payload.message_type,
        metadata=payload.metadata,
        reply_to=payload.reply_to,
        thread_seq=payload.thread,
        is_in_room=payload.also_in_room,
        draft_version=payload.draft,
        files=posted.files,
        files_error=posted.error,
        authorized_sender=_find_authorized_sender(caller, ref),
    )

    def acknowledge(message: TimelineMessage) -> Ack:
        presented = realtime.presenter.present(message)
        is_broadcast = post.has_stored(message) and caller.has_entered(ref.wire_name)
        return {"message": presented.without_html if is_broadcast else presented.with_html}

    return Write(post, acknowledge)


@handles("edit_message", EditPayload)
def edit_message(caller: Caller, payload: EditPayload) -> Ack:
    """Replace a message's content or metadata, or remove files from it."""
    changed = edit(
        parse_ref(payload.conversation),
        caller.user.actor,
        payload.seq,
        content=payload.content,
        metadata=payload.metadata,
        removed_files=payload.removed_files,
    )
    return _present(changed)


@handles("delete_message", DeletePayload)
def delete_message(caller: Caller, payload: DeletePayload) -> Ack:
    """Delete a message's content."""
    return _present(delete(parse_ref(payload.conversation), caller.user.actor, payload.seq))


@handles("undelete_message", DeletePayload)
def undelete_message(caller: Caller, payload: DeletePayload) -> Ack:
    """Undo the deletion of a message."""
    return _present(undelete(parse_ref(payload.conversation), caller.user.actor, payload.seq))


@handles("message_versions", VersionsPayload, cost=READING_COST)
def list_versions(caller: Caller, payload: VersionsPayload) -> Ack:
    """Return the earlier versions of a message."""
    access = find_reader_access(db.session(), parse_ref(payload.conversation), caller.user.actor)
    conversation = authorize_reading(*access)
    page = read_versions(db.session(), conversation, payload.seq, before=payload.before, limit=payload.limit)
    versions = limit_size(page.versions, keeps_last=True)
    return {"versions": present_versions(versions), "more": page.has_older or len(versions) < len(page.versions)}


@handles("react", ReactPayload)
def react_to_message(caller: Caller, payload: ReactPayload) -> Ack:
    """Add a reaction to a message, or remove one's own."""
    ref = parse_ref(payload.conversation)
    return _present(react(ref, caller.user.actor, payload.seq, payload.reaction, on=payload.on))


@handles("pin_message", PinPayload)
def pin_message(caller: Caller, payload: PinPayload) -> Ack:
    """Pin a message in its conversation, or unpin it."""
    return _present(pin(parse_ref(payload.conversation), caller.user.actor, payload.seq, on=payload.on))


@handles("remove_previews", RemovePreviewsPayload)
def remove_previews_of_message(caller: Caller, payload: RemovePreviewsPayload) -> Ack:
    """Remove the previews of a message's links, or one of them."""
    return _present(remove_previews(parse_ref(payload.conversation), caller.user.actor, payload.seq, payload.url))


def _list_answers(ref: ConversationRef) -> list[Mapping[str, Any]]:
    """Return the growing answers, without those that have ended according to the database."""
    streams = current_answer_broadcaster().present_streams(ref)
    if not streams:
        return []
    running = find_running(db.session(), ref.id, [stream["seq"] for stream in streams])
    return [stream for stream in streams if stream["seq"] in running]


def _present(message: TimelineMessage) -> Ack:
    return {"message": present_message(message).with_html}


def _present_all(messages: Sequence[TimelineMessage]) -> list[orjson.Fragment]:
    """Present many messages, and let others run in between."""
    presented = []
    with in_slices():
        for message in messages:
            presented.append(present_message(message).with_html)
            checkpoint()
    return presented


def _find_authorized_sender(caller: Caller, ref: ConversationRef) -> Person | None:
    """Return the caller if their socket was authorized to post when it joined. Uses no database."""
    is_authorized = caller.has_entered(ref.wire_name) and caller.has_entered(posters_channel(ref))
    return caller.user.as_person() if is_authorized else None
