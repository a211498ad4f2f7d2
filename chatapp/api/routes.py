"""Conversations, messages, reactions, read state and direct messages."""

from http import HTTPStatus

from flask import Blueprint, Response, url_for

from chatapp.api import resources
from chatapp.api.access import current_caller, protect
from chatapp.api.document import CONTENT_ERRORS, CONVERSATION_ERRORS, WRITE_ERRORS, describe
from chatapp.api.queries import find_active_person, find_ref, list_conversation_page, read_messages
from chatapp.api.responses import (
    present_conversation,
    present_pinned,
    present_preferences,
    respond,
    respond_conversations,
    respond_messages,
    respond_versions,
)
from chatapp.api.schemas import (
    MAX_SEQ,
    ConversationsQuery,
    Forward,
    IdempotencyHeaders,
    MessageEdit,
    MessagesQuery,
    NewConversation,
    NewMessage,
    NewRoom,
    PreferencesUpdate,
    ReadMark,
    VersionsQuery,
    is_uuid,
    parse_id,
    parse_number,
    resolve_client_id,
)
from chatapp.conversations.people import find_named
from chatapp.conversations.policy import authorize_reading, no_such_conversation
from chatapp.conversations.preferences import list_preferences, update_preferences
from chatapp.conversations.queries import (
    ConversationAccess,
    direct_key,
    find_access,
    find_direct,
    find_public_ids,
    is_public,
    list_title_people,
)
from chatapp.conversations.refs import ConversationRef, direct_ref, parse_ref, room_ref
from chatapp.conversations.service import create_room, open_direct
from chatapp.errors import InvalidReply, InvalidUpload, NotFound, ThreadRemoved
from chatapp.extensions import db
from chatapp.models.base import LAST_ID
from chatapp.presentation.messages import present_message_data
from chatapp.presentation.read_state import present_read_state
from chatapp.presentation.resources import Message, ReadState
from chatapp.timeline import (
    Page,
    TimelineMessage,
    delete,
    edit,
    forward,
    get_message,
    mark_read,
    pin,
    post,
    react,
    remove_previews,
    undelete,
)
from chatapp.timeline.pins import list_pinned
from chatapp.timeline.versions import read_versions

blueprint = Blueprint("api", __name__, url_prefix="/api")
protect(blueprint)

CONVERSATION = "/conversations/<conversation>"
MESSAGE = f"{CONVERSATION}/messages/<seq>"


@blueprint.get("/conversations")
@describe(resources.Conversations, tag="Conversations", query=ConversationsQuery)
def list_conversations(query: ConversationsQuery) -> Response:
    """List the conversations that you are a member of."""
    user_id = current_caller().actor.user_id
    conversations = list_conversation_page(
        db.session(), user_id, before=query.before, after=query.after, limit=query.limit
    )
    rows = [access.conversation for access in conversations.accesses if access.conversation]
    people = list_title_people(db.session(), rows)
    public_ids = find_public_ids(db.session(), [row.id for row in rows])
    return respond_conversations(conversations, people, public_ids, user_id, query)


@blueprint.post("/conversations")
@describe(
    resources.Conversation,
    NotFound,
    tag="Conversations",
    status=HTTPStatus.CREATED,
    json=NewConversation,
    may_exist=True,
)
def create_conversation(json: NewConversation) -> Response:
    """Create a room, or start a direct conversation.

    You become the manager of the room. There is one direct conversation for each set of people: if it exists already,
    it is returned with status 200.
    """
    new, actor = json.root, current_caller().actor
    if isinstance(new, NewRoom):
        ref = room_ref(create_room(actor, new.name, new.topic, "private" if new.is_private else "open"))
        return _respond_conversation(ref, HTTPStatus.CREATED)
    people = find_named(db.session(), new.people)
    opened = open_direct(actor, [person.id for person in people])
    return _respond_conversation(direct_ref(opened.id), HTTPStatus.CREATED if opened.is_new else HTTPStatus.OK)


@blueprint.get(CONVERSATION)
@describe(resources.Conversation, *CONVERSATION_ERRORS, tag="Conversations")
def show_conversation(conversation: str) -> Response:
    """Get a conversation."""
    return _respond_conversation(parse_conversation(conversation))


@blueprint.get(f"{CONVERSATION}/messages")
@describe(resources.Messages, *CONVERSATION_ERRORS, query=MessagesQuery)
def list_messages(conversation: str, query: MessagesQuery) -> Response:
    """List a conversation's messages: the last ones, those beside a cursor, or those of a period."""
    return _respond_page(parse_conversation(conversation), query)


@blueprint.post(f"{CONVERSATION}/messages")
@describe(
    Message,
    *CONVERSATION_ERRORS,
    *WRITE_ERRORS,
    *CONTENT_ERRORS,
    InvalidReply,
    InvalidUpload,
    ThreadRemoved,
    status=HTTPStatus.CREATED,
    json=NewMessage,
    headers=IdempotencyHeaders,
)
def post_message(conversation: str, json: NewMessage, headers: IdempotencyHeaders) -> Response:
    """Post a message. The response confirms that it is stored.

    Repeating the request with the same `client_id` or `Idempotency-Key` returns the same message, stored once.
    """
    ref, actor = parse_conversation(conversation), current_caller().actor
    posted = json.find_files(actor.user_id)
    message = post(
        ref,
        actor,
        content=json.content,
        client_id=resolve_client_id(json.client_id, headers.idempotency_key),
        message_type=json.message_type,
        metadata=json.metadata,
        reply_to=json.reply_to,
        thread_seq=json.thread,
        is_in_room=json.also_in_room,
        files=posted.files,
        files_error=posted.error,
    )
    return _respond_posted(message)


@blueprint.get(MESSAGE)
@describe(Message, *CONVERSATION_ERRORS)
def show_message(conversation: str, seq: str) -> Response:
    """Get a message."""
    readable = authorize_reading(*_find_access(parse_conversation(conversation)))
    return _respond_message(get_message(db.session(), readable, parse_message_number(seq)))


@blueprint.get(f"{MESSAGE}/versions")
@describe(resources.MessageVersions, *CONVERSATION_ERRORS, query=VersionsQuery)
def list_versions(conversation: str, seq: str, query: VersionsQuery) -> Response:
    """List the earlier versions of an edited message. Deleting the message deletes them."""
    readable, number = authorize_reading(*_find_access(parse_conversation(conversation))), parse_message_number(seq)
    page = read_versions(db.session(), readable, number, before=query.before, after=query.after, limit=query.limit)
    return respond_versions(readable.wire_name, number, page, query)


@blueprint.patch(MESSAGE)
@describe(Message, *CONVERSATION_ERRORS, *WRITE_ERRORS, *CONTENT_ERRORS, json=MessageEdit)
def edit_message(conversation: str, seq: str, json: MessageEdit) -> Response:
    """Edit one of your own messages: its text, its metadata or both.

    The installation may limit the time after sending in which that is possible.
    """
    ref, actor = parse_conversation(conversation), current_caller().actor
    content, metadata = json.get_changed("content"), json.get_changed("metadata")
    number, removed = parse_message_number(seq), json.removed_files
    return _respond_message(edit(ref, actor, number, content=content, metadata=metadata, removed_files=removed))


@blueprint.delete(MESSAGE)
@describe(Message, *CONVERSATION_ERRORS, *WRITE_ERRORS)
def delete_message(conversation: str, seq: str) -> Response:
    """Delete the content of a message; its number remains.

    You can delete your own messages; the installation may limit the time after sending in which that is possible.
    Managers and admins can delete all messages at any time, except in direct conversations.
    """
    return _respond_message(delete(parse_conversation(conversation), current_caller().actor, parse_message_number(seq)))


@blueprint.post(f"{MESSAGE}/undelete")
@describe(Message, *CONVERSATION_ERRORS, *WRITE_ERRORS)
def undelete_message(conversation: str, seq: str) -> Response:
    """Undo the deletion of a message, within ten seconds. Only the person who deleted it can."""
    ref = parse_conversation(conversation)
    return _respond_message(undelete(ref, current_caller().actor, parse_message_number(seq)))


@blueprint.post(f"{MESSAGE}/forward")
@describe(
    Message,
    *CONVERSATION_ERRORS,
    *WRITE_ERRORS,
    *CONTENT_ERRORS,
    status=HTTPStatus.CREATED,
    json=Forward,
    headers=IdempotencyHeaders,
)
def forward_message(conversation: str, seq: str, json: Forward, headers: IdempotencyHeaders) -> Response:
    """Forward a message to another conversation: post a message there that refers to it.

    It has no copy of the text: each reader sees the original only if they may read it where it is.
    """
    message = forward(
        parse_conversation(conversation),
        parse_message_number(seq),
        parse_ref(json.to),
        current_caller().actor,
        comment=json.content,
        client_id=resolve_client_id(json.client_id, headers.idempotency_key),
    )
    return _respond_posted(message)


@blueprint.put(f"{MESSAGE}/reactions/<reaction>")
@describe(Message, *CONVERSATION_ERRORS, *WRITE_ERRORS, tag="Reactions")
def add_reaction(conversation: str, seq: str, reaction: str) -> Response:
    """React to a message with an emoji."""
    ref = parse_conversation(conversation)
    return _respond_message(react(ref, current_caller().actor, parse_message_number(seq), reaction, on=True))


@blueprint.delete(f"{MESSAGE}/reactions/<reaction>")
@describe(Message, *CONVERSATION_ERRORS, *WRITE_ERRORS, tag="Reactions")
def remove_reaction(conversation: str, seq: str, reaction: str) -> Response:
    """Remove your own reaction."""
    ref = parse_conversation(conversation)
    return _respond_message(react(ref, current_caller().actor, parse_message_number(seq), reaction, on=False))


@blueprint.delete(f"{MESSAGE}/previews")
@describe(Message, *CONVERSATION_ERRORS, *WRITE_ERRORS, tag="Messages")
def remove_link_previews(conversation: str, seq: str) -> Response:
    """Remove the previews of a message's links.

    Its sender can, and who moderates the conversation. They do not come back when the message is edited.
    """
    ref = parse_conversation(conversation)
    return _respond_message(remove_previews(ref, current_caller().actor, parse_message_number(seq)))


@blueprint.put(f"{MESSAGE}/pin")
@describe(Message, *CONVERSATION_ERRORS, *WRITE_ERRORS, tag="Pins")
def pin_message(conversation: str, seq: str) -> Response:
    """Pin a message in its conversation.

    Managers and admins can, and in a direct conversation everybody. There is a limit for each conversation.
    """
    return _respond_message(
        pin(parse_conversation(conversation), current_caller().actor, parse_message_number(seq), on=True)
    )


@blueprint.delete(f"{MESSAGE}/pin")
@describe(Message, *CONVERSATION_ERRORS, *WRITE_ERRORS, tag="Pins")
def unpin_message(conversation: str, seq: str) -> Response:
    """Unpin a message."""
    return _respond_message(
        pin(parse_conversation(conversation), current_caller().actor, parse_message_number(seq), on=False)
    )


@blueprint.get(f"{CONVERSATION}/pins")
@describe(resources.PinnedMessages, *CONVERSATION_ERRORS, tag="Pins")
def list_pins(conversation: str) -> Response:
    """List the pinned messages of a conversation, last pinned first."""
    readable = authorize_reading(*_find_access(parse_conversation(conversation)))
    pins = [present_pinned(each) for each in list_pinned(db.session(), readable)]
    return respond({"conversation": readable.wire_name, "pins": pins})


@blueprint.post(f"{CONVERSATION}/read")
@describe(ReadState, *CONVERSATION_ERRORS, tag="Reading", json=ReadMark)
def mark_conversation_read(conversation: str, json: ReadMark) -> Response:
    """Mark messages as read, up to a number. The mark never moves back."""
    return _mark_read(parse_conversation(conversation), json)


@blueprint.get(f"{CONVERSATION}/preferences")
@describe(resources.Preferences, *CONVERSATION_ERRORS, tag="Conversations")
def show_preferences(conversation: str) -> Response:
    """Get what you have set for a conversation. Others do not see it."""
    readable = authorize_reading(*_find_access(parse_conversation(conversation)))
    preferences = list_preferences(db.session(), current_caller().actor.user_id, [readable])
    return respond(present_preferences(readable.wire_name, preferences[readable.id]))


@blueprint.patch(f"{CONVERSATION}/preferences")
@describe(resources.Preferences, *CONVERSATION_ERRORS, tag="Conversations", json=PreferencesUpdate)
def change_preferences(conversation: str, json: PreferencesUpdate) -> Response:
    """Set of which messages you are notified, mute a conversation, or make it a favorite. Your open pages follow."""
    ref = parse_conversation(conversation)
    preferences = update_preferences(ref, current_caller().actor, json.to_changes())
    return respond(present_preferences(ref.wire_name, preferences))


@blueprint.get("/chat/history/<person_id>")
@describe(resources.Messages, NotFound, tag="Direct messages", query=MessagesQuery)
def list_direct_messages(person_id: str, query: MessagesQuery) -> Response:
    """List the direct messages with a user, like `GET /api/conversations/…/messages`."""
    ref = _find_direct_ref(person_id)
    if ref is None:
        return respond_messages(None, 0, Page([], has_older=False), query)
    return _respond_page(ref, query)


@blueprint.post("/chat/mark-read/<person_id>")
@describe(ReadState, NotFound, tag="Direct messages", json=ReadMark)
def mark_direct_read(person_id: str, json: ReadMark) -> Response:
    """Mark the direct messages with a user as read, up to a number. The mark never moves back."""
    ref = _find_direct_ref(person_id)
    if ref is None:
        raise NotFound("There are no direct messages with this user.")
    return _mark_read(ref, json)


def parse_conversation(conversation: str) -> ConversationRef:
    """Parse a conversation's wire name or id. Raises `Invalid`, and `NotFound` if no conversation has the id."""
    if is_uuid(conversation):
        raise no_such_conversation()
    if not (conversation.isascii() and conversation.isdecimal()):
        return parse_ref(conversation)
    ref = find_ref(db.session(), parse_number(conversation, "A conversation's id", LAST_ID))
    if ref is None:
        raise no_such_conversation()
    return ref


def parse_message_number(value: str) -> int:
    """Parse the number of a message in a URL. Raises `Invalid`."""
    return parse_number(value, "A message's number", MAX_SEQ)


def _find_access(ref: ConversationRef) -> ConversationAccess:
    return find_access(db.session(), ref, current_caller().actor.user_id)


def _find_direct_ref(person_id: str) -> ConversationRef | None:
    """Return the ref of the direct conversation with a user, or None. Raises `Invalid`, `NotFound` (no such user)."""
    user_id = parse_id(person_id, "user")
    conversation = find_direct(db.session(), direct_key({current_caller().actor.user_id, user_id}))
    if conversation is None and find_active_person(db.session(), user_id) is None:
        raise NotFound("There is no such user.")
    return None if conversation is None else direct_ref(conversation.id)


def _mark_read(ref: ConversationRef, mark: ReadMark) -> Response:
    conversation = authorize_reading(*_find_access(ref))
    seq = conversation.last_event if mark.seq is None else mark.seq
    return respond(present_read_state(mark_read(ref, current_caller().actor, seq)))


def _respond_conversation(ref: ConversationRef, status: HTTPStatus = HTTPStatus.OK) -> Response:
    # Start a new read transaction, which sees what was just written.
    db.session.rollback()
    access = _find_access(ref)
    readable = authorize_reading(*access)
    people = list_title_people(db.session(), [readable]).get(readable.id)
    location = (
        {"Location": url_for("api.show_conversation", conversation=ref.wire_name)} if status != HTTPStatus.OK else {}
    )
    user_id, is_shared = current_caller().actor.user_id, is_public(db.session(), readable.id)
    return respond(present_conversation(access, people, user_id, is_public=is_shared), status, **location)


def _respond_page(ref: ConversationRef, query: MessagesQuery) -> Response:
    conversation = authorize_reading(*_find_access(ref))
    return respond_messages(
        conversation.wire_name, conversation.message_count, read_messages(db.session(), conversation, query), query
    )


def _respond_posted(message: TimelineMessage) -> Response:
    location = url_for("api.show_message", conversation=message.conversation.wire_name, seq=message.seq)
    return respond(present_message_data(message), HTTPStatus.CREATED, Location=location)


def _respond_message(message: TimelineMessage) -> Response:
    return respond(present_message_data(message))
