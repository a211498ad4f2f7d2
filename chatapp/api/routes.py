"""The API. Each view permits, does one thing, and answers; what it takes and answers is the document's to say too."""

from http import HTTPStatus

from flask import Blueprint, Response, url_for

from chatapp.api.access import current_caller, protect
from chatapp.api.document import CONTENT, IN_CONVERSATIONS, WRITING, answers
from chatapp.api.presenting import answer, answer_conversations, answer_messages, present_place
from chatapp.api.queries import find_active, find_name, list_places
from chatapp.api.schemas import (
    LAST_SEQ,
    ChangedMessage,
    Conversation,
    Conversations,
    ConversationsQuery,
    Keyed,
    Mark,
    Message,
    Messages,
    NewMessage,
    PageQuery,
    ReadState,
    parse_number,
    read_client_id,
)
from chatapp.conversations.names import ConversationName, direct_name, parse_name
from chatapp.conversations.policy import authorize_reading, no_such_conversation
from chatapp.conversations.queries import ConversationAccess, direct_key, find_access, find_direct, list_title_people
from chatapp.errors import NotFound
from chatapp.extensions import db
from chatapp.models.base import LAST_ID
from chatapp.presentation.messages import present_message_data
from chatapp.presentation.read_state import present_read_state
from chatapp.timeline import (
    Page,
    TimelineMessage,
    delete,
    edit,
    get_message,
    mark_read,
    page,
    post,
    react,
)

blueprint = Blueprint("api", __name__, url_prefix="/api")
protect(blueprint)

CONVERSATION = "/conversations/<conversation>"
MESSAGE = f"{CONVERSATION}/messages/<seq>"


@blueprint.get("/conversations")
@answers(Conversations, tag="Conversations", query=ConversationsQuery)
def list_conversations(query: ConversationsQuery) -> Response:
    """List the conversations that one is in."""
    user_id = current_caller().actor.user_id
    shown = list_places(db.session(), user_id, before=query.before, after=query.after, limit=query.limit)
    people = list_title_people(db.session(), [each.conversation for each in shown.places if each.conversation])
    return answer_conversations(shown, people, user_id, query)


@blueprint.get(CONVERSATION)
@answers(Conversation, *IN_CONVERSATIONS, tag="Conversations")
def show_conversation(conversation: str) -> Response:
    """Show one conversation."""
    user_id = current_caller().actor.user_id
    place = _place(_name(conversation))
    here = authorize_reading(*place)
    people = list_title_people(db.session(), [here]).get(here.id)
    return answer(present_place(place, people, user_id))


@blueprint.get(f"{CONVERSATION}/messages")
@answers(Messages, *IN_CONVERSATIONS, query=PageQuery)
def list_messages(conversation: str, query: PageQuery) -> Response:
    """List a conversation's messages: the last ones, or those around a number."""
    here = authorize_reading(*_place(_name(conversation)))
    shown = page(db.session(), here, before=query.before, after=query.after, limit=query.limit)
    return answer_messages(here.wire_name, here.message_count, shown, query)


@blueprint.post(f"{CONVERSATION}/messages")
@answers(Message, *IN_CONVERSATIONS, *WRITING, *CONTENT, status=HTTPStatus.CREATED, json=NewMessage, headers=Keyed)
def post_message(conversation: str, json: NewMessage, headers: Keyed) -> Response:
    """Post a message. It is durable when this answers.

    The same request again (the same `client_id` or `Idempotency-Key`) is answered with the same message, stored once.
    """
    name = _name(conversation)
    message = post(
        name,
        current_caller().actor,
        content=json.content,
        client_id=read_client_id(json.client_id, headers.idempotency_key),
    )
    location = url_for("api.show_message", conversation=message.conversation.wire_name, seq=message.seq)
    return answer(present_message_data(message), HTTPStatus.CREATED, Location=location)


@blueprint.get(MESSAGE)
@answers(Message, *IN_CONVERSATIONS)
def show_message(conversation: str, seq: str) -> Response:
    """Show one message."""
    return _message(get_message(db.session(), authorize_reading(*_place(_name(conversation))), _seq(seq)))


@blueprint.patch(MESSAGE)
@answers(Message, *IN_CONVERSATIONS, *WRITING, *CONTENT, json=ChangedMessage)
def edit_message(conversation: str, seq: str, json: ChangedMessage) -> Response:
    """Give one's own message another content."""
    return _message(edit(_name(conversation), current_caller().actor, _seq(seq), content=json.content))


@blueprint.delete(MESSAGE)
@answers(Message, *IN_CONVERSATIONS, *WRITING)
def delete_message(conversation: str, seq: str) -> Response:
    """Take a message's content away; its place stays. One's own, or anybody's for a manager or an admin."""
    return _message(delete(_name(conversation), current_caller().actor, _seq(seq)))


@blueprint.put(f"{MESSAGE}/reactions/<reaction>")
@answers(Message, *IN_CONVERSATIONS, *WRITING, tag="Reactions")
def add_reaction(conversation: str, seq: str, reaction: str) -> Response:
    """Put an emoji under a message."""
    return _message(react(_name(conversation), current_caller().actor, _seq(seq), reaction, on=True))


@blueprint.delete(f"{MESSAGE}/reactions/<reaction>")
@answers(Message, *IN_CONVERSATIONS, *WRITING, tag="Reactions")
def remove_reaction(conversation: str, seq: str, reaction: str) -> Response:
    """Take one's own emoji back."""
    return _message(react(_name(conversation), current_caller().actor, _seq(seq), reaction, on=False))


@blueprint.post(f"{CONVERSATION}/read")
@answers(ReadState, *IN_CONVERSATIONS, tag="Reading", json=Mark)
def mark_conversation_read(conversation: str, json: Mark) -> Response:
    """Say how far one has read. The mark moves forward only."""
    return _mark(_name(conversation), json)


@blueprint.get("/chat/history/<person_id>")
@answers(Messages, NotFound, tag="Direct messages", query=PageQuery)
def list_direct_messages(person_id: str, query: PageQuery) -> Response:
    """List the direct messages with a person, as `GET /api/conversations/…/messages` does."""
    name = _direct(person_id)
    if name is None:
        return answer_messages(None, 0, Page([], has_older=False), query)
    here = authorize_reading(*_place(name))
    shown = page(db.session(), here, before=query.before, after=query.after, limit=query.limit)
    return answer_messages(here.wire_name, here.message_count, shown, query)


@blueprint.post("/chat/mark-read/<person_id>")
@answers(ReadState, NotFound, tag="Direct messages", json=Mark)
def mark_direct_read(person_id: str, json: Mark) -> Response:
    """Say how far one has read the direct messages with a person. The mark moves forward only."""
    name = _direct(person_id)
    if name is None:
        raise NotFound("There are no direct messages with this person.")
    return _mark(name, json)


def _name(conversation: str) -> ConversationName:
    """Read a conversation's name, or its number. Raises `Invalid`, `NotFound` (for a number)."""
    if not (conversation.isascii() and conversation.isdecimal()):
        return parse_name(conversation)
    number = parse_number(conversation, "A conversation's id", LAST_ID)
    name = find_name(db.session(), number)
    if name is None:
        raise no_such_conversation()
    return name


def _place(name: ConversationName) -> ConversationAccess:
    return find_access(db.session(), name, current_caller().actor.user_id)


def _direct(person_id: str) -> ConversationName | None:
    """Name the conversation with a person, if there is one. Raises `Invalid`, `NotFound` (no such person)."""
    number = parse_number(person_id, "A person's id", LAST_ID)
    found = find_direct(db.session(), direct_key({current_caller().actor.user_id, number}))
    if found is None and find_active(db.session(), number) is None:
        raise NotFound("There is no such person.")
    return None if found is None else direct_name(found.id)


def _seq(value: str) -> int:
    """Read a message's number. Raises `Invalid`."""
    return parse_number(value, "A message's number", LAST_SEQ)


def _mark(name: ConversationName, mark: Mark) -> Response:
    here = authorize_reading(*_place(name))
    seq = here.last_event if mark.seq is None else mark.seq
    return answer(present_read_state(mark_read(name, current_caller().actor, seq)))


def _message(message: TimelineMessage) -> Response:
    return answer(present_message_data(message))
