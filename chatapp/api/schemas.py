"""Request models of the API: query parameters, headers and bodies, with their descriptions for the document."""

import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, RootModel, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from chatapp.assistants.templates.service import (
    MAX_FIRST_MESSAGES,
    MAX_FIRST_MESSAGES_CHARS,
    MAX_NAME_CHARS,
    MAX_PROMPT_CHARS,
    TemplateFields,
)
from chatapp.conversations.people import MAX_PEOPLE
from chatapp.conversations.preferences import PreferenceChanges
from chatapp.conversations.service import MAX_ROOM_NAME_CHARS, MAX_TOPIC_CHARS
from chatapp.errors import Invalid, NotFound
from chatapp.files.uploads import MAX_NAME_CHARS as MAX_NAME_CHARS_OF_UPLOADS
from chatapp.limits.metadata import MAX_METADATA_BYTES, MAX_METADATA_DEPTH
from chatapp.models.base import LAST_ID
from chatapp.models.emoji import MAX_NAME_CHARS as MAX_EMOJI_NAME_CHARS
from chatapp.models.messages import MAX_REACTION_CHARS
from chatapp.search.query import MAX_QUERY_CHARS
from chatapp.storage import MAX_CURSOR_CHARS
from chatapp.timeline.client_ids import MAX_IDEMPOTENCY_KEY_CHARS, check_client_id, client_id_of
from chatapp.timeline.content import TEXT
from chatapp.timeline.metadata import UNCHANGED
from chatapp.timeline.posted_files import PostedFiles, find_posted_files

DEFAULT_LIMIT, MAX_LIMIT = 50, 100
"""Number of items in a response."""

DEFAULT_SESSIONS = 20
"""Number of sessions in a response, unless it is requested."""

MAX_SEQ = 2**63 - 1

PATH_PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "conversation": {
        "description": "The name or `id` of a conversation.",
        "schema": {"type": "string", "pattern": "^(general|(room|direct|assistant)_[1-9][0-9]{0,9}|[1-9][0-9]{0,8})$"},
        "example": "general",
    },
    "seq": {
        "description": "The number of a message in its conversation.",
        "schema": {"type": "integer", "format": "int64", "minimum": 0, "maximum": MAX_SEQ},
        "example": 1,
    },
    "scheduled_id": {
        "description": "The id of one of your scheduled messages.",
        "schema": {"type": "integer", "format": "int32", "minimum": 0, "maximum": LAST_ID},
        "example": 1,
    },
    "reminder_id": {
        "description": "The id of one of your reminders.",
        "schema": {"type": "integer", "format": "int32", "minimum": 0, "maximum": LAST_ID},
        "example": 1,
    },
    "session_id": {
        "description": "The id of one of your assistant sessions.",
        "schema": {"type": "integer", "format": "int32", "minimum": 0, "maximum": LAST_ID},
        "example": 1,
    },
    "template_id": {
        "description": "The id of a session template.",
        "schema": {"type": "integer", "format": "int32", "minimum": 0, "maximum": LAST_ID},
        "example": 1,
    },
    "digest": {
        "description": "The SHA-256 of a file in hexadecimal: see the `url` of a message's file.",
        "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "example": "a" * 64,
    },
    "name": {
        "description": "The name of a file, percent-encoded.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        "example": "photo.jpg",
    },
    "emoji": {
        "description": "The name of a custom emoji, without colons.",
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_EMOJI_NAME_CHARS},
        "example": "party_blob",
    },
    "reaction": {
        "description": "One emoji, or the name of a custom emoji between colons, percent-encoded.",
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_REACTION_CHARS},
        "example": "👍",
    },
    "person_id": {
        "description": "The id of a user.",
        "schema": {"type": "integer", "format": "int32", "minimum": 0, "maximum": LAST_ID},
        "example": 1,
    },
}


_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def parse_number(value: object, name: str, maximum: int) -> int:
    """Parse a whole number from 0 to `maximum` in a URL. Raises `Invalid`."""
    # `int()` accepts more than the document allows: “１”, “1_000”, “ 1 ”.
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= len(str(maximum)):
        number = int(value)
        if number <= maximum:
            return number
    raise Invalid(f"{name} must be a whole number from 0 to {maximum}.")


def is_uuid(value: str) -> bool:
    """Return whether an id in a URL is a UUID: no object has such an id, but other servers' objects have."""
    return _UUID.fullmatch(value) is not None


def parse_id(value: str, kind: str) -> int:
    """Parse the id of an object of a kind, such as "session", in a URL. Raises `Invalid`, and `NotFound` for a UUID."""
    if is_uuid(value):
        raise NotFound(f"There is no such {kind}.")
    return parse_number(value, f"A {kind}'s id", LAST_ID)


def resolve_client_id(client_id: str | None, idempotency_key: str | None) -> str:
    """Return the id under which a message is stored once: the given one, or one derived from the header.

    Raises `Invalid` if both are given and they differ.
    """
    checked = None if client_id is None else check_client_id(client_id)
    if idempotency_key is None:
        return checked or str(uuid.uuid4())
    derived = client_id_of(idempotency_key)
    if checked not in {None, derived}:
        raise Invalid("client_id and Idempotency-Key differ. Send only one of them.")
    return derived


def _parse_number(value: object) -> int:
    try:
        return parse_number(value, "this", MAX_SEQ)
    except Invalid:
        raise ValueError("must be a whole number") from None


def _cap_limit(value: int) -> int:
    return min(value, MAX_LIMIT)


def _parse_time(value: object) -> datetime:
    try:
        time = datetime.fromisoformat(str(value).upper())
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise ValueError("must be a time with its zone, such as 2026-01-02T03:04:05Z (in a URL, “+” is %2B)")
    try:
        return time.astimezone(UTC)
    except OverflowError:  # The first and the last hours that Python knows, in another zone.
        return time.replace(tzinfo=UTC)


def _remove_null_defaults(schema: dict[str, Any]) -> None:
    # An optional parameter is omitted; in a URL it cannot be null.
    for parameter in schema.get("properties", {}).values():
        if parameter.get("default", ...) is None:
            del parameter["default"]


class Request(BaseModel):
    """A part of a request. Types are strict: a string of digits is not a number. Unknown fields are refused."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        json_schema_extra=_remove_null_defaults,
        defer_build=True,  # The first request builds the validator, not the start.
    )

    def get_changed(self, name: str) -> object:
        """Return the value of a field of an update, or `UNCHANGED` if the request does not have it."""
        return getattr(self, name) if name in self.model_fields_set else UNCHANGED


Seq = Annotated[int, Field(ge=0, le=MAX_SEQ, json_schema_extra={"format": "int64"}), BeforeValidator(_parse_number)]
Id = Annotated[int, Field(ge=0, le=LAST_ID, json_schema_extra={"format": "int32"}), BeforeValidator(_parse_number)]
Cursor = Annotated[str, Field(max_length=MAX_CURSOR_CHARS)]
Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT), BeforeValidator(_parse_number)]
CappedLimit = Annotated[
    int,
    Field(ge=1, le=MAX_SEQ, json_schema_extra={"format": "int64"}),
    BeforeValidator(_parse_number),
    AfterValidator(_cap_limit),
]
Offset = Annotated[int, Field(ge=0, le=LAST_ID, json_schema_extra={"format": "int32"}), BeforeValidator(_parse_number)]

Time = Annotated[datetime, BeforeValidator(_parse_time)]

LIMIT_DESCRIPTION = "Maximum number of items."
OFFSET_DESCRIPTION = "Number of items to skip."


class PageQuery(Request):
    """A page of a list: the one at its beginning or end, or one beside a cursor."""

    max_cursor: ClassVar[int] = MAX_SEQ

    before: Seq | SkipJsonSchema[None] = None
    after: Seq | SkipJsonSchema[None] = None
    limit: Limit = Field(DEFAULT_LIMIT, description=LIMIT_DESCRIPTION)

    def list_filters(self) -> dict[str, str]:
        """Return the parameters that hold for all pages of the list."""
        return {}


class CursorQuery(Request):
    """A page of a list: its beginning, or the part beside a cursor."""

    before: Cursor | SkipJsonSchema[None] = Field(None, description="The cursor in the URL `previous` of a response.")
    after: Cursor | SkipJsonSchema[None] = Field(None, description="The cursor in the URL `next` of a response.")
    limit: Limit = Field(DEFAULT_LIMIT, description=LIMIT_DESCRIPTION)

    def list_filters(self) -> dict[str, str]:
        """Return the parameters that hold for all pages of the list."""
        return {}


class FilesQuery(CursorQuery):
    """A page of the files of a conversation."""

    kind: Literal["image", "video", "audio", "pdf", "text", "other"] | SkipJsonSchema[None] = Field(
        None, description="Return only files of this kind."
    )

    def list_filters(self) -> dict[str, str]:
        """Return the kind."""
        return {} if self.kind is None else {"kind": self.kind}


class FileQuery(Request):
    """Which form of a file is requested."""

    size: Literal["small", "large"] | SkipJsonSchema[None] = Field(
        None, description="A thumbnail in WebP instead: `small` is 480 pixels wide or high, `large` 1,600 at most."
    )


class MessagesQuery(PageQuery):
    """A page of messages: the last ones, or those beside a cursor. `since` and `until` select a period."""

    before: Seq | SkipJsonSchema[None] = Field(None, description="Return messages before this `seq`.")
    after: Seq | SkipJsonSchema[None] = Field(None, description="Return the first messages after this `seq`.")
    since: Time | SkipJsonSchema[None] = Field(
        None, description="Return messages posted at this time or later, in the order of their times."
    )
    until: Time | SkipJsonSchema[None] = Field(
        None, description="Return messages posted before this time, in the order of their times."
    )

    def list_filters(self) -> dict[str, str]:
        """Return the bounds of the period."""
        times = {"since": self.since, "until": self.until}
        return {name: f"{time:%Y-%m-%dT%H:%M:%S.%fZ}" for name, time in times.items() if time}


class ConversationsQuery(PageQuery):
    """A page of conversations: the first ones, or those beside a cursor."""

    # PostgreSQL raises an error for a higher one.
    max_cursor: ClassVar[int] = LAST_ID

    before: Id | SkipJsonSchema[None] = Field(None, description="Return conversations before this `id`.")
    after: Id | SkipJsonSchema[None] = Field(None, description="Return the first conversations after this `id`.")


class VersionsQuery(PageQuery):
    """A page of earlier versions: the last ones, or those beside a cursor."""

    before: Seq | SkipJsonSchema[None] = Field(None, description="Return versions before this `version`.")
    after: Seq | SkipJsonSchema[None] = Field(None, description="Return the first versions after this `version`.")


class RepliesQuery(PageQuery):
    """A page of the replies in a thread: the last ones, or those beside a cursor."""

    before: Seq | SkipJsonSchema[None] = Field(None, description="Return replies before this `seq`.")
    after: Seq | SkipJsonSchema[None] = Field(None, description="Return the first replies after this `seq`.")


class MentionsQuery(PageQuery):
    """A page of the messages that mention you: the last ones, or those beside a cursor."""

    before: Seq | SkipJsonSchema[None] = Field(None, description="Return messages before the one with this `id`.")
    after: Seq | SkipJsonSchema[None] = Field(None, description="Return the first messages after that with this `id`.")
    only: Literal["unread"] | SkipJsonSchema[None] = Field(
        None, description="Return only messages after your read marker. Replies in threads are not among them."
    )

    def list_filters(self) -> dict[str, str]:
        """Return which messages are wanted."""
        return {} if self.only is None else {"only": self.only}


class SearchQuery(Request):
    """What to search, and which part of the result."""

    q: Annotated[str, Field(max_length=MAX_QUERY_CHARS)] = Field(
        description="Words, “phrases”, `-not`, and filters: `from:`, `in:`, `with:`, `before:`, `after:`, `on:`, "
        "`during:`, `has:link|file|code|reaction|pin|thread`, `is:saved|unread|mention|thread`. The last word is "
        "the beginning of one, also in a phrase without its second quotation mark, unless a space follows. No text is "
        "an error.",
    )
    limit: Limit = Field(DEFAULT_LIMIT, description=LIMIT_DESCRIPTION)
    before: Seq | SkipJsonSchema[None] = Field(None, description="The cursor in the URL `next` of a response.")
    order: Literal["newest", "best"] = Field("newest", description="`best` ranks the newest 10,000 matches.")


class DraftUpdate(Request):
    """What you have begun to write."""

    content: str = Field(description="The text. A blank one removes the draft.")
    version: Annotated[int, Field(ge=0, le=MAX_SEQ)] = Field(
        description="The `version` of the draft that the text is based on; 0 if there is none."
    )
    thread: Annotated[int, Field(ge=0, le=MAX_SEQ, json_schema_extra={"format": "int64"})] | None = Field(
        None, description="The `seq` of the first message of a thread."
    )


class UploadCreate(Request):
    """A file that you want to upload."""

    name: str = Field(max_length=MAX_NAME_CHARS_OF_UPLOADS, description="The name of the file.")
    size: Annotated[int, Field(ge=0, le=MAX_SEQ, json_schema_extra={"format": "int64"})] = Field(
        description="In bytes."
    )


class AvatarUpdate(Request):
    """A new picture."""

    upload: str | None = Field(max_length=100, description="The id of a complete upload; null for no picture.")


class NewEmoji(Request):
    """A custom emoji."""

    name: str = Field(
        min_length=1,
        max_length=MAX_EMOJI_NAME_CHARS,
        description="Lower-case letters, digits, `_`, `+` and `-`. Not the name of a standard emoji.",
    )
    upload: str = Field(description="The id of a complete upload of yours: a PNG, GIF, WebP or JPEG image.")


class IdempotencyHeaders(Request):
    """Headers of a request that takes effect once, even if it is repeated."""

    model_config = ConfigDict(extra="ignore")

    idempotency_key: (
        Annotated[str, Field(min_length=1, max_length=MAX_IDEMPOTENCY_KEY_CHARS)] | SkipJsonSchema[None]
    ) = Field(
        None,
        alias="Idempotency-Key",
        description="An alternative to `client_id` that may be any text.",
    )


Content = Annotated[object, WithJsonSchema({"type": "string", "minLength": 1})]
"""`chatapp.timeline` checks the content."""


MessageType = Annotated[object, WithJsonSchema({"type": "string", "enum": ["text", "system"]})]

Metadata = Annotated[object, WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "null"}]})]
"""`chatapp.timeline` checks it."""

METADATA_DESCRIPTION = (
    f"A JSON object of at most {MAX_METADATA_BYTES:,} bytes, nested at most {MAX_METADATA_DEPTH} levels deep, that is "
    "stored and returned as it is. It has no NUL and no integer of more than 64 bits."
)


Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
RemovedFiles = Annotated[list[Digest], Field(max_length=100)]
REMOVED_FILES_DESCRIPTION = "The `digest` of each file to remove. A message that keeps a file needs no text."


class NewRoom(Request):
    """A room to create."""

    kind: Literal["room"]
    name: Annotated[str, Field(min_length=1, max_length=MAX_ROOM_NAME_CHARS)] = Field(examples=["Design"])
    topic: Annotated[str, Field(max_length=MAX_TOPIC_CHARS)] = ""
    is_private: bool = Field(False, description="Only members see a private room. Everyone can join the others.")


class NewDirect(Request):
    """A direct conversation to start."""

    kind: Literal["direct"]
    people: Annotated[list[str], Field(min_length=1, max_length=MAX_PEOPLE)] = Field(
        description="The usernames of the other people; your own alone for a notepad.", examples=[["ana"]]
    )


class NewConversation(RootModel[Annotated[NewRoom | NewDirect, Field(discriminator="kind")]]):
    """A room or a direct conversation."""

    model_config = ConfigDict(strict=True, frozen=True, defer_build=True)


class FileReference(Request):
    """A file that was uploaded."""

    upload: str = Field(description="The `id` of a complete upload of yours: see `POST /api/uploads`.")
    alt: str = Field("", description="The alternative text.")


def find_uploaded(user_id: int, files: Sequence[FileReference]) -> PostedFiles:
    """Return files that a user has uploaded: see `find_posted_files`."""
    return find_posted_files(user_id, [file.model_dump() for file in files])


class NewMessage(Request):
    """A message to post."""

    content: Content = Field(description="The text. It may be empty if there are files.", examples=["Good morning"])
    files: list[FileReference] = Field([], description="Its files, in their order.")
    client_id: Annotated[str, Field(json_schema_extra={"format": "uuid"})] | None = Field(
        None,
        description="A UUID. Repeating the request with the same UUID returns the first message and posts nothing.",
    )
    message_type: MessageType = Field(
        TEXT,
        description="Managers of a room, owners of an assistant session and admins may post notices, `system`. "
        "Assistants neither answer nor read them.",
    )
    metadata: Metadata = Field(None, description=METADATA_DESCRIPTION)
    reply_to: Annotated[int, Field(ge=0, le=MAX_SEQ, json_schema_extra={"format": "int64"})] | None = Field(
        None, description="The `seq` of the message of this conversation that it replies to."
    )
    thread: Annotated[int, Field(ge=0, le=MAX_SEQ, json_schema_extra={"format": "int64"})] | None = Field(
        None,
        description="The `seq` of the first message of the thread that it is a reply in. "
        "That of another reply names the same thread: the response has the first message's.",
    )
    also_in_room: bool = Field(False, description="Whether a reply in a thread is also sent to the conversation.")

    def find_files(self, user_id: int) -> PostedFiles:
        """Return the files that the user has uploaded."""
        return find_uploaded(user_id, self.files)


class Forward(Request):
    """Where a message is forwarded to."""

    to: str = Field(description="The conversation.", examples=["room_26"])
    content: str = Field("", description="A comment, above the reference to the message.", examples=["Have a look"])
    client_id: Annotated[str, Field(json_schema_extra={"format": "uuid"})] | None = Field(
        None,
        description="A UUID. Repeating the request with the same UUID returns the first message and posts nothing.",
    )


DueAt = Annotated[object, WithJsonSchema({"type": "string", "format": "date-time"})]
"""`chatapp.schedule` checks the time."""

FUTURE_TIME = "a time in the future with its offset from UTC, not later than the installation permits."
DUE_AT_DESCRIPTION = f"When it is sent: {FUTURE_TIME}"
REMINDER_DESCRIPTION = f"When you are reminded: {FUTURE_TIME}"


class NewScheduledMessage(Request):
    """A message to send later."""

    content: Content = Field(description="The text. It may be empty if there are files.", examples=["Good morning"])
    files: list[FileReference] = Field([], description="Its files, in their order.")
    due_at: DueAt = Field(description=DUE_AT_DESCRIPTION, examples=["2030-12-24T09:00:00Z"])
    client_id: Annotated[str, Field(json_schema_extra={"format": "uuid"})] | None = Field(
        None,
        description="A UUID, also of the message when it is sent. Repeating the request with it schedules nothing.",
    )
    reply_to: Annotated[int, Field(ge=0, le=MAX_SEQ, json_schema_extra={"format": "int64"})] | None = Field(
        None, description="The `seq` of the message of this conversation that it replies to."
    )
    thread: Annotated[int, Field(ge=0, le=MAX_SEQ, json_schema_extra={"format": "int64"})] | None = Field(
        None, description="The `seq` of the first message of the thread that it is a reply in."
    )
    also_in_room: bool = Field(False, description="Whether a reply in a thread is also sent to the conversation.")

    def find_files(self, user_id: int) -> PostedFiles:
        """Return the files that the user has uploaded."""
        return find_uploaded(user_id, self.files)


class ScheduledUpdate(Request):
    """Changes to a scheduled message. What is omitted stays as it is."""

    content: Content = Field(None, description="The text.", examples=["Good evening"])
    due_at: DueAt = Field(None, description=DUE_AT_DESCRIPTION, examples=["2030-12-24T09:00:00Z"])
    removed_files: RemovedFiles = Field([], description=REMOVED_FILES_DESCRIPTION)
    added_files: list[FileReference] = Field([], description="Further files, after those that it has.")

    def find_added_files(self, user_id: int) -> PostedFiles:
        """Return the further files that the user has uploaded."""
        return find_uploaded(user_id, self.added_files)


class NewReminder(Request):
    """A reminder to set: of a text, of a message, or of both."""

    due_at: DueAt = Field(description=REMINDER_DESCRIPTION, examples=["2030-12-24T09:00:00Z"])
    content: Content = Field(None, description="The text. Required without a message.", examples=["Call Ana"])
    client_id: Annotated[str, Field(json_schema_extra={"format": "uuid"})] | None = Field(
        None, description="A UUID. Repeating the request with the same UUID returns the first reminder."
    )
    conversation: str | None = Field(None, description="The name or `id` of the conversation of the message.")
    seq: Annotated[int, Field(ge=0, le=MAX_SEQ, json_schema_extra={"format": "int64"})] | None = Field(
        None, description="The number of the message that it is about."
    )


class ReminderUpdate(Request):
    """Another time for a reminder."""

    due_at: DueAt = Field(description=REMINDER_DESCRIPTION, examples=["2030-12-24T09:00:00Z"])


class MessageEdit(Request):
    """Changes to a message. What is omitted stays as it is."""

    content: Content = Field(None, description="The text.", examples=["Good evening"])
    metadata: Metadata = Field(None, description=f"{METADATA_DESCRIPTION} `null` removes it.")
    removed_files: RemovedFiles = Field([], description=REMOVED_FILES_DESCRIPTION)


class PreferencesUpdate(Request):
    """Changes to what the user has set for a conversation. What is omitted stays as it is."""

    notification_level: Literal["all", "mentions", "nothing"] | None = Field(
        None, description="Of which new messages you are notified."
    )
    is_muted: bool | None = Field(
        None,
        description="Do not point out its unread messages, and notify of none. The sidebar still counts mentions.",
    )
    is_favorite: bool | None = Field(None, description="Show it among the favorites.")

    def to_changes(self) -> PreferenceChanges:
        """Return the given fields as the service takes them."""
        return cast(PreferenceChanges, self.model_dump(exclude_none=True))


class ReadMark(Request):
    """The last message that was read."""

    seq: Annotated[int, Field(ge=0, le=MAX_SEQ)] | None = Field(
        None, description="The number of the last message that was read. Default: the conversation's last event."
    )


Category = Annotated[str, Field(description="A text of at most 40 characters; empty for none.")]

Tags = Annotated[
    list[str], Field(max_length=100, description="At most 10 tags of at most 30 characters, without commas.")
]
"""`chatapp.assistants` checks category and tags."""


class NewSession(Request):
    """An assistant session to start."""

    assistant: str | None = Field(
        None, description="The name of an assistant. Default: that of the template, or the first one."
    )
    template: Annotated[int, Field(ge=0, le=LAST_ID, json_schema_extra={"format": "int32"})] | None = Field(
        None, description="The id of a template."
    )
    title: str = Field("", description="Default: derived from the first message.")
    metadata: Metadata = Field(None, description=METADATA_DESCRIPTION)
    category: Category | None = Field(None, description="Default: that of the template.")
    tags: Tags | None = Field(None, description="Default: those of the template.")


class SessionUpdate(Request):
    """Changes to an assistant session. What is omitted stays as it is."""

    title: str | None = None
    metadata: Metadata = Field(None, description=f"{METADATA_DESCRIPTION} `null` removes it.")
    category: Category | None = None
    tags: Tags | None = Field(None, description="They replace the previous ones.")
    pinned: bool | None = Field(None, description="Whether lists begin with it.")
    ended: Literal[True] | None = Field(None, description="Make the session read-only.")


class NewFirstMessage(Request):
    """A message that sessions begin with."""

    role: Literal["user", "assistant"]
    content: Content = Field(description="The text.", examples=["Summarize what I send you."])


class TemplateUpdate(Request):
    """Changes to a session template. What is omitted stays as it is. Running sessions do not change."""

    name: str | None = Field(None, description=f"A text of at most {MAX_NAME_CHARS} characters.")
    assistant: str | None = Field(None, description="The name of an assistant; null if the user chooses it.")
    prompt: str | None = Field(
        None,
        description=f"At most {MAX_PROMPT_CHARS:,} characters that the model receives besides the assistant's prompt.",
    )
    messages: Annotated[list[NewFirstMessage], Field(max_length=MAX_FIRST_MESSAGES)] | None = Field(
        None,
        description=f"The first messages, in their order: at most {MAX_FIRST_MESSAGES_CHARS:,} characters together. "
        "They replace the previous ones.",
    )
    category: Category | None = Field(None, description="The category of the sessions.")
    tags: Tags | None = Field(None, description="The tags of the sessions. They replace the previous ones.")

    def to_fields(self) -> TemplateFields:
        """Return the given fields as the service takes them."""
        given = self.model_dump(include=self.model_fields_set - {"shared"})
        return cast(
            TemplateFields, {name: value for name, value in given.items() if value is not None or name == "assistant"}
        )


class NewTemplate(TemplateUpdate):
    """A session template to create."""

    name: str = Field(description=f"A text of at most {MAX_NAME_CHARS} characters.", examples=["Weekly report"])
    shared: bool = Field(False, description="Make it for everyone. Only admins may.")


class SessionsQuery(Request):
    """A page of assistant sessions."""

    q: Annotated[str, Field(max_length=80)] = Field(
        "", description="Only sessions with this text in their title or one of their tags."
    )
    category: Annotated[str, Field(max_length=40)] = Field("", description="Only sessions of this category.")
    limit: Limit = Field(DEFAULT_SESSIONS, description=LIMIT_DESCRIPTION)
    offset: Offset = Field(0, description=OFFSET_DESCRIPTION)


class AssistantQuery(Request):
    """The assistant whose shared conversation is requested."""

    bot_id: str = Field(
        "",
        description="Required: the name of an assistant, such as `BOT-001`. Case and surrounding spaces are ignored.",
    )


class HistoryQuery(AssistantQuery):
    """A page of the shared conversation, counted from the first message."""

    limit: CappedLimit = Field(
        MAX_LIMIT,
        description=f"{LIMIT_DESCRIPTION} More than {MAX_LIMIT} is taken as {MAX_LIMIT}; the response has the limit.",
    )
    offset: Offset = Field(0, description=OFFSET_DESCRIPTION)
