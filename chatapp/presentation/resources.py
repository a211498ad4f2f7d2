"""JSON objects that clients receive: from the API, in webhooks and on the socket.

Presenters build them as plain dictionaries, whose keys and types mypy checks. The API's document is generated from the
same classes.
"""

from typing import Annotated, Any, NotRequired

from pydantic import Field, WithJsonSchema

# pydantic accepts `typing.TypedDict` only from Python 3.12 on.
from typing_extensions import TypedDict

from chatapp.files.attached import KINDS

Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"})]

SenderType = Annotated[str, Field(json_schema_extra={"enum": ["user", "assistant", "system"]})]

AnswerState = Annotated[
    str, Field(json_schema_extra={"enum": ["queued", "streaming", "complete", "stopped", "interrupted", "failed"]})
]

MessageType = Annotated[
    str,
    Field(
        json_schema_extra={"enum": ["text", "system", "error"]},
        description="`system`: a notice of a manager, an admin or a webhook. `error`: a failed answer of an assistant.",
    ),
]

Metadata = Annotated[dict[str, Any] | None, Field(description="The JSON object that a program stored.")]

EventNumber = Annotated[int | None, WithJsonSchema({"type": "integer"})]
"""Null only while a message is pending. The API does not return pending messages."""


class Person(TypedDict):
    """A user."""

    id: int
    username: str
    name: str
    avatar_url: NotRequired[Annotated[str, Field(description="The path of the picture, if there is one.")]]


class ReactionUser(TypedDict):
    """A user who reacted to a message."""

    id: int
    name: str


class Reaction(TypedDict):
    """An emoji under a message and the users who added it."""

    reaction: str
    users: list[ReactionUser]


class Replies(TypedDict):
    """The replies in the thread that begins with a message."""

    count: int
    last_at: Annotated[Timestamp | None, Field(description="The time of the last reply.")]
    people: Annotated[list[Person], Field(description="Up to three people, the one who has replied last first.")]


class Upload(TypedDict):
    """An upload that has begun."""

    id: Annotated[str, Field(description="For the message that has the file. Keep it secret.")]
    url: Annotated[str, Field(description="Where the bytes are sent, with the protocol tus 1.0.")]
    size: Annotated[int, Field(description="In bytes.")]


class CustomEmoji(TypedDict):
    """An emoji that an admin has uploaded."""

    name: Annotated[str, Field(description="What texts and reactions have between colons.")]
    url: Annotated[str, Field(description="The path of the image.")]
    still_url: Annotated[str, Field(description="That of an image that does not move.")]
    width: Annotated[int, Field(description="Of the image, in pixels.")]
    height: int


class File(TypedDict):
    """A file of a message."""

    digest: Annotated[str, Field(description="The SHA-256 of its content, in hexadecimal.")]
    name: str
    type: Annotated[str, Field(description="The media type, which the content decides.")]
    kind: Annotated[str, Field(json_schema_extra={"enum": list(KINDS)})]
    size: Annotated[int, Field(description="In bytes.")]
    width: Annotated[int | None, Field(description="Of an image, or of the first page of a PDF, in pixels.")]
    height: int | None
    animated: bool
    alt: Annotated[str, Field(description="The alternative text, by the sender.")]
    preview: Annotated[str | None, Field(description="The beginning of a text.")]
    url: NotRequired[
        Annotated[str, Field(description="The path of its content. Missing while the message is pending.")]
    ]
    small_url: NotRequired[Annotated[str, Field(description="That of a thumbnail of at most 480 × 480 pixels.")]]
    large_url: NotRequired[Annotated[str, Field(description="That of a thumbnail of at most 1600 × 1600 pixels.")]]


class PreviewPicture(TypedDict):
    """The picture of a page, as a still WebP."""

    url: Annotated[str, Field(description="The path of its content, of at most 1600 × 1600 pixels.")]
    small_url: Annotated[str, Field(description="That of a thumbnail of at most 480 × 480 pixels.")]
    alt: Annotated[str, Field(description="The alternative text, of the page. Empty if it has none.")]
    width: Annotated[int, Field(description="Of the original, in pixels.")]
    height: int


class LinkPreview(TypedDict):
    """What a message shows of a page that it links to. The texts are those of the page, on one line."""

    url: Annotated[str, Field(description="The link as the message has it.")]
    title: str
    description: Annotated[str, Field(description="Empty if the page has none.")]
    site: Annotated[str, Field(description="The name of the site; empty if the page has none.")]
    picture: NotRequired[Annotated[PreviewPicture, Field(description="Missing if the page has none.")]]


class Message(TypedDict):
    """A message."""

    conversation: str
    id: Annotated[
        int | None, Field(description="Null if a cleanup has removed the message, or its sender may no longer read it.")
    ]
    seq: EventNumber
    version: Annotated[EventNumber, Field(description="The number of the event that last changed the message.")]
    sender: Annotated[
        Person | None, Field(description="Null if the account was deleted or the message was not sent by a user.")
    ]
    sender_type: SenderType
    sender_name: Annotated[str | None, Field(description="The name of a bot or an assistant.")]
    message_type: MessageType
    metadata: Metadata
    reply_to: Annotated[
        int | None,
        Field(
            description="The `seq` of the message of this conversation that it replies to or answers. It may have been "
            "deleted or removed by a cleanup since."
        ),
    ]
    thread: Annotated[
        int | None, Field(description="The `seq` of the first message of the thread that it is a reply in.")
    ]
    in_room: Annotated[
        bool, Field(description="False for a reply in a thread that was not also sent to the conversation.")
    ]
    replies: Annotated[Replies | None, Field(description="The replies in the thread that begins with it, if any.")]
    state: Annotated[
        AnswerState | None, Field(description="The state of an assistant's answer; null for other messages.")
    ]
    problem: Annotated[str | None, Field(description="Why an assistant's answer is incomplete.")]
    content: Annotated[str, Field(description="Empty if the message was deleted, or has only files.")]
    client_id: str | None
    created_at: Timestamp
    edited_at: Timestamp | None
    deleted_at: Timestamp | None
    mentions: Annotated[list[int], Field(description="The ids of the mentioned users.")]
    reactions: list[Reaction]
    pinned: Annotated[bool, Field(description="Whether it is pinned in its conversation.")]
    files: NotRequired[Annotated[list[File], Field(description="Missing if the message has none.")]]
    previews: NotRequired[
        Annotated[list[LinkPreview], Field(description="Those of its links. Missing if the message has none.")]
    ]


class MessageVersion(TypedDict):
    """A text of a message that an edit has replaced."""

    version: Annotated[int, Field(description="The last `version` of the message with this text.")]
    content: str
    written_at: Timestamp


class ReadState(TypedDict):
    """The last message that a user has read in a conversation, and the numbers of unread ones."""

    conversation: str
    last_read_seq: int
    unread: int
    mentions: int


class ThreadState(TypedDict):
    """A thread as its reader sees it."""

    conversation: str
    thread: Annotated[int, Field(description="The `seq` of its first message.")]
    following: Annotated[bool, Field(description="Whether you are notified of replies.")]
    unread: Annotated[int, Field(description="The number of unread replies; 0 for a thread that you do not follow.")]
    last_read_seq: int


class PinnedMessage(TypedDict):
    """A pinned message, and who pinned it."""

    message: Message
    pinned_by: Annotated[Person | None, Field(description="Null if the account was deleted.")]
    pinned_at: Timestamp


class ScheduledMessage(TypedDict):
    """A message that is sent later. Only its author can see it."""

    id: int
    conversation: Annotated[str | None, Field(description="Null if it was deleted.")]
    content: str
    client_id: Annotated[str, Field(description="That of the message when it is sent.")]
    due_at: Timestamp
    problem: Annotated[
        str | None, Field(description="Why it was not sent when it was due. It is sent when it gets another time.")
    ]
    reply_to: int | None
    thread: Annotated[int | None, Field(description="The `seq` of the first message of the thread it belongs to.")]
    also_in_room: Annotated[bool, Field(description="Whether a reply in a thread is also sent to the conversation.")]
    created_at: Timestamp
    files: NotRequired[Annotated[list[File], Field(description="Missing if the message has none.")]]


class Reminder(TypedDict):
    """A reminder. Only the person who has set it can see it."""

    id: int
    content: Annotated[str, Field(description="Its text; empty if it is only about a message.")]
    conversation: Annotated[str | None, Field(description="The conversation of the message that it is about.")]
    seq: Annotated[int | None, Field(description="The number of the message that it is about.")]
    due_at: Timestamp
    fired_at: Annotated[Timestamp | None, Field(description="When you were reminded; null before it is due.")]
    created_at: Timestamp


class Problem(TypedDict):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: Annotated[str, Field(description="A stable code for programs.", examples=["not_found"])]
    retry_after: NotRequired[Annotated[int, Field(description="Seconds to wait before retrying.")]]
