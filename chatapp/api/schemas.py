"""What requests bring and answers carry. The tests hold the answers to it."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from chatapp.errors import Invalid
from chatapp.models.base import LAST_ID
from chatapp.timeline.posting import KEY_LENGTH, check_client_id, client_id_of

LIMIT, MOST = 50, 100
"""Items in an answer: when nothing else is asked for, and at the most."""

LAST_SEQ = 2**63 - 1

PATH_PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "conversation": {
        "description": "The name of a conversation, or its `id`.",
        "schema": {"type": "string", "pattern": "^(general|(room|direct|assistant)_[1-9][0-9]{0,9}|[1-9][0-9]{0,8})$"},
        "example": "general",
    },
    "seq": {
        "description": "The number of a message in its conversation.",
        "schema": {"type": "integer", "format": "int64", "minimum": 0, "maximum": LAST_SEQ},
        "example": 1,
    },
    "session_id": {
        "description": "The id of a session of one's own.",
        "schema": {"type": "integer", "format": "int32", "minimum": 0, "maximum": LAST_ID},
        "example": 1,
    },
    "reaction": {
        "description": "One emoji, percent-encoded.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 16},
        "example": "👍",
    },
    "person_id": {
        "description": "The id of a person.",
        "schema": {"type": "integer", "format": "int32", "minimum": 0, "maximum": LAST_ID},
        "example": 1,
    },
}


def parse_number(value: object, name: str, most: int) -> int:
    """Read a whole number from 0 to `most` in an address. Raises `Invalid`."""
    # Python reads more as a number than the document says: “１”, “1_000”, “ 1 ”.
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= len(str(most)):
        number = int(value)
        if number <= most:
            return number
    raise Invalid(f"{name} must be a whole number from 0 to {most}.")


def read_client_id(given: str | None, key: str | None) -> str:
    """Give the id under which a message is stored once: the one that was given, or one made of the header.

    Raises `Invalid` when there are both, and they differ.
    """
    client_id = None if given is None else check_client_id(given)
    if key is None:
        return client_id or str(uuid.uuid4())
    made = client_id_of(key)
    if client_id not in {None, made}:
        raise Invalid("client_id and Idempotency-Key differ: send one of them.")
    return made


def _read_number(value: object) -> int:
    try:
        return parse_number(value, "this", LAST_SEQ)
    except Invalid:
        raise ValueError("must be a whole number") from None


def _leave_out_nulls(schema: dict[str, Any]) -> None:
    # What may be left out is left out, not null: a parameter of an address cannot be.
    for each in schema["properties"].values():
        if each.get("default", ...) is None:
            del each["default"]


class Request(BaseModel):
    """What a request brings. Types are taken as they are: a number in a text is no number."""

    model_config = ConfigDict(strict=True, frozen=True, json_schema_extra=_leave_out_nulls)


Seq = Annotated[int, Field(ge=0, le=LAST_SEQ, json_schema_extra={"format": "int64"}), BeforeValidator(_read_number)]
Id = Annotated[int, Field(ge=0, le=LAST_ID, json_schema_extra={"format": "int32"}), BeforeValidator(_read_number)]


class PageQuery(Request):
    """Which messages are wanted: without `before` and `after` the last ones."""

    last: ClassVar[int] = LAST_SEQ
    """The highest number that can be asked for."""

    before: Seq | SkipJsonSchema[None] = Field(None, description="Those before this `seq`.")
    after: Seq | SkipJsonSchema[None] = Field(None, description="The first ones after this `seq`.")
    limit: Annotated[int, Field(ge=1, le=MOST), BeforeValidator(_read_number)] = Field(
        LIMIT, description="How many at the most."
    )


class ConversationsQuery(PageQuery):
    """Which conversations are wanted: without `before` and `after` the first ones."""

    # PostgreSQL cannot even be asked for a higher one.
    last: ClassVar[int] = LAST_ID

    before: Id | SkipJsonSchema[None] = Field(None, description="Those before this `id`.")
    after: Id | SkipJsonSchema[None] = Field(None, description="The first ones after this `id`.")


class Keyed(Request):
    """Headers of a request that is done once, however often it is sent."""

    idempotency_key: Annotated[str, Field(min_length=1, max_length=KEY_LENGTH)] | SkipJsonSchema[None] = Field(
        None,
        alias="Idempotency-Key",
        description="Does the same as `client_id`, with a text of one's own.",
    )


Content = Annotated[object, WithJsonSchema({"type": "string", "minLength": 1})]
"""What content may be is the core's to say."""


class NewMessage(Request):
    """A message to be posted."""

    content: Content = Field(description="The text.", examples=["Good morning"])
    client_id: Annotated[str, Field(json_schema_extra={"format": "uuid"})] | None = Field(
        None,
        description="A UUID of one's own. A second request with the same one is answered with the first one's message.",
    )


class ChangedMessage(Request):
    """What a message is to say."""

    content: Content = Field(description="The text.", examples=["Good evening"])


class Mark(Request):
    """How far somebody has read."""

    seq: Annotated[int, Field(ge=0, le=LAST_SEQ)] | None = Field(
        None, description="The number of the last message that was read; the conversation's last one if it is missing."
    )


class NewSession(Request):
    """A session to be begun."""

    assistant: str | None = Field(None, description="The name of an assistant; the first one when it is missing.")
    title: str = Field("", description="Made from the first message when it is missing.")


class ChangedSession(Request):
    """What is to be different about a session."""

    title: str | None = None
    ended: Literal[True] | None = Field(None, description="Let it be read only.")


Limit = Annotated[int, Field(ge=1, le=MOST), BeforeValidator(_read_number)]
Offset = Annotated[int, Field(ge=0, le=LAST_ID, json_schema_extra={"format": "int32"}), BeforeValidator(_read_number)]


class SessionsQuery(Request):
    """Which sessions are wanted."""

    q: Annotated[str, Field(max_length=80)] = Field("", description="Those with this in their title.")
    limit: Limit = Field(LIMIT, description="How many at the most.")
    offset: Offset = Field(0, description="How many are left out before them.")


class WhichHistory(Request):
    """Whose history is meant."""

    bot_id: Annotated[str, Field(min_length=1, max_length=32)] = Field(description="The name of an assistant.")


class HistoryQuery(WhichHistory):
    """Which messages are wanted, counted from the first one."""

    limit: Limit = Field(MOST, description="How many at the most.")
    offset: Offset = Field(0, description="How many are left out before them.")


class ResponseModel(BaseModel):
    """What an answer carries."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class Person(ResponseModel):
    """Somebody."""

    id: int
    username: str
    name: str


class ReactionUser(ResponseModel):
    """Somebody who reacted."""

    id: int
    name: str


class Reaction(ResponseModel):
    """An emoji under a message, and whom it is from."""

    reaction: str
    users: list[ReactionUser]


State = Literal["queued", "streaming", "complete", "stopped", "interrupted", "failed"]


class Message(ResponseModel):
    """A message."""

    conversation: str
    id: int | None = Field(description="Null for one that a clean-up has removed.")
    seq: int
    version: int = Field(description="The number of the event that changed it last.")
    sender: Person | None = Field(description="Null where the account is gone, and for what no person has sent.")
    sender_type: Literal["user", "assistant", "system"]
    sender_name: str | None = Field(description="What a bot or an assistant is called.")
    message_type: str
    reply_to: int | None = Field(description="The `seq` of the message that an assistant answers.")
    state: State | None = Field(description="How far an assistant's answer has come; null for other messages.")
    problem: str | None = Field(description="Why an assistant's answer is not complete.")
    content: str = Field(description="Empty when it was deleted.")
    client_id: str | None
    created_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None
    mentions: list[int] = Field(description="The ids of those whom it names.")
    reactions: list[Reaction]


class Conversation(ResponseModel):
    """A conversation, as one person sees it."""

    conversation: str = Field(description="Its name in addresses and on the socket.")
    id: int
    kind: Literal["general", "room", "direct", "assistant"]
    name: str = Field(description="Its name on pages; of a direct one the people's.")
    topic: str
    is_private: bool
    is_archived: bool
    role: Literal["member", "manager"] | None
    people: list[Person] | None = Field(description="Who is in a direct conversation; null for the other kinds.")
    total: int = Field(description="How many messages it has.")
    last_event: int = Field(description="How many events it has had.")
    floor: int = Field(description="Messages up to this `seq` were removed by a clean-up.")
    last_read_seq: int | None
    updated_at: datetime


class ListResponse(ResponseModel):
    """What every list carries."""

    total: int = Field(description="How many there are, on all pages.")
    limit: int = Field(description="How many this answer has at the most.")
    next: str | None = Field(description="The address of what is newer.")
    previous: str | None = Field(description="The address of what is older.")


class Messages(ListResponse):
    """A stretch of a conversation, the oldest first."""

    conversation: str | None = Field(description="Null for two who have never written to each other.")
    messages: list[Message]


class Conversations(ListResponse):
    """Conversations in the order in which they were made."""

    conversations: list[Conversation]


class Session(ResponseModel):
    """A conversation of one's own with an assistant."""

    id: int
    conversation: str = Field(description="Its name in addresses and on the socket.")
    assistant: str = Field(description="The assistant's name.")
    title: str = Field(description="Made from the first message where none was given.")
    began_at: datetime
    used_at: datetime = Field(description="When something happened in it last.")
    ended_at: datetime | None = Field(description="When it was made read only.")
    total: int = Field(description="How many messages it has.")


class Sessions(ResponseModel):
    """One's sessions, the one that was last used first."""

    total: int
    limit: int
    offset: int
    sessions: list[Session]


class HistoryMessage(ResponseModel):
    """A message as an assistant knows it."""

    role: Literal["user", "assistant", "system"]
    content: str
    timestamp: datetime


class History(ResponseModel):
    """A stretch of the conversation that everybody has with an assistant, the oldest first."""

    success: Literal[True]
    messages: list[HistoryMessage]
    total: int
    limit: int
    offset: int
    timestamp: datetime = Field(description="When this was answered.")


class Cleared(ResponseModel):
    """What a clearing has done."""

    success: Literal[True]
    deleted: int = Field(description="How many messages went.")
    timestamp: datetime


class ReadState(ResponseModel):
    """How far somebody has read, and what lies after it."""

    conversation: str
    last_read_seq: int
    unread: int
    mentions: int


class Problem(ResponseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(description="What a program goes by.", examples=["not_found"])
    retry_after: int | None = Field(None, description="Seconds after which another try makes sense.")
