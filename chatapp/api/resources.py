"""JSON objects that only the API returns. See `chatapp.presentation.resources` for the others."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from chatapp.conversations.preferences import NOTIFICATION_LEVELS
from chatapp.presentation.resources import (
    CustomEmoji,
    File,
    Message,
    MessageVersion,
    Metadata,
    Person,
    PinnedMessage,
    Reminder,
    ScheduledMessage,
    SenderType,
    ThreadState,
    Timestamp,
)

ConversationKind = Annotated[str, Field(json_schema_extra={"enum": ["general", "room", "direct", "assistant"]})]
MemberRole = Annotated[str, Field(json_schema_extra={"enum": ["member", "manager"]})]


class Conversation(TypedDict):
    """A conversation as one user sees it."""

    conversation: Annotated[str, Field(description="Its name in URLs and on the socket.")]
    id: int
    kind: ConversationKind
    name: Annotated[
        str, Field(description="Its name on pages; for a direct conversation the names of the other people.")
    ]
    topic: str
    avatar_url: NotRequired[
        Annotated[str, Field(description="The path of the picture of a room or an assistant, if there is one.")]
    ]
    is_private: bool
    is_archived: bool
    is_public: Annotated[bool, Field(description="Whether anyone can read it through a share link.")]
    role: MemberRole | None
    people: Annotated[
        list[Person] | None, Field(description="The people in a direct conversation; null for other kinds.")
    ]
    total: Annotated[int, Field(description="The number of messages.")]
    last_event: Annotated[int, Field(description="The number of the last event.")]
    floor: Annotated[int, Field(description="A cleanup removed messages up to this `seq`.")]
    last_read_seq: int | None
    updated_at: Timestamp


class Avatar(TypedDict):
    """The picture of a person, a room or an assistant."""

    avatar_url: Annotated[str | None, Field(description="Its path; null if there is none.")]


class CustomEmojiList(TypedDict):
    """All custom emoji."""

    emoji: list[CustomEmoji]
    total: int


class Preferences(TypedDict):
    """What the user has set for a conversation."""

    conversation: str
    notification_level: Annotated[
        str,
        Field(
            json_schema_extra={"enum": list(NOTIFICATION_LEVELS)},
            description="Of which new messages they are notified. By default `all` in direct conversations, "
            "`mentions` in others.",
        ),
    ]
    is_muted: Annotated[bool, Field(description="Whether its unread messages are not pointed out.")]
    is_favorite: Annotated[bool, Field(description="Whether the sidebar shows it among the favorites.")]


class PinnedMessages(TypedDict):
    """The pinned messages of a conversation."""

    conversation: str
    pins: list[PinnedMessage]


class SavedState(TypedDict):
    """Whether the user has saved a message."""

    conversation: str
    seq: int
    is_saved: bool


class SavedMessage(TypedDict):
    """A message that the user has saved."""

    id: int
    conversation: str
    seq: int
    saved_at: str
    message: Annotated[
        Message | None, Field(description="Null if it was deleted or removed, or if the user may no longer read it.")
    ]


class Match(TypedDict):
    """Where something that was searched is in an excerpt, in characters."""

    begin: int
    end: int


class FoundMessage(TypedDict):
    """A message that was found."""

    conversation: str
    message: Message
    excerpt: Annotated[str, Field(description="A part of the content, with the first match.")]
    matches: list[Match]


class FoundMessages(TypedDict):
    """A part of the messages that were found."""

    limit: Annotated[int, Field(description="The maximum number of items in this response.")]
    next: Annotated[str | None, Field(description="The URL of the part that follows; null if nothing does.")]
    indexing: Annotated[bool, Field(description="Whether older messages are still indexed, and not all are found.")]
    hints: Annotated[
        list[str],
        Field(
            description="What looks like a filter, but is searched as a word, and why. If the query has nothing to "
            "search for, what it needs."
        ),
    ]
    messages: list[FoundMessage]


class Draft(TypedDict):
    """What the user has begun to write in a conversation, or in one of its threads."""

    conversation: str
    thread: Annotated[int | None, Field(description="The `seq` of the first message of the thread.")]
    content: str
    version: Annotated[int, Field(description="Changes with every save; 0 if there is no draft.")]


class ListResponse(TypedDict):
    """The fields of every list that is paginated with cursors."""

    total: Annotated[int, Field(description="The number of items on all pages; `since` and `until` do not reduce it.")]
    limit: Annotated[int, Field(description="The maximum number of items in this response.")]
    next: Annotated[str | None, Field(description="The URL of the page that follows in the order of the list.")]
    previous: Annotated[str | None, Field(description="The URL of the page that precedes in the order of the list.")]


class SavedMessages(ListResponse):
    """A page of the messages that the user has saved, saved last first."""

    saved: list[SavedMessage]


class Drafts(ListResponse):
    """A page of the drafts of the user, saved last first."""

    drafts: list[Draft]


class ScheduledMessages(ListResponse):
    """A page of the scheduled messages of the user, soonest first."""

    scheduled: list[ScheduledMessage]


class Reminders(ListResponse):
    """A page of the reminders of the user, soonest first."""

    reminders: list[Reminder]


class Messages(ListResponse):
    """A page of a conversation's messages, oldest first."""

    conversation: Annotated[str | None, Field(description="Null if two people have no direct conversation yet.")]
    messages: list[Message]


class Mention(TypedDict):
    """A message that mentions the user."""

    message: Message
    is_unread: Annotated[
        bool, Field(description="Whether the conversation shows it and it is after your read marker there.")
    ]


class Mentions(ListResponse):
    """A page of the messages that mention the user, oldest first. At most 1,000 are counted in `total`."""

    mentions: list[Mention]


class ThreadMessages(TypedDict):
    """A thread as its reader sees it, with a page of its replies, oldest first."""

    thread: ThreadState
    root: Annotated[Message | None, Field(description="Its first message; null if a cleanup has removed it.")]
    messages: list[Message]
    limit: Annotated[int, Field(description="The maximum number of replies in this response.")]
    next: Annotated[str | None, Field(description="The URL of the page with newer replies.")]
    previous: Annotated[str | None, Field(description="The URL of the page with older replies.")]


class FollowedThread(TypedDict):
    """A thread that you follow."""

    thread: ThreadState
    root: Annotated[Message | None, Field(description="Its first message; null if a cleanup has removed it.")]


class Threads(ListResponse):
    """A page of the threads that you follow: first those with unread replies, then by the last reply."""

    threads: list[FollowedThread]


class ConversationFile(TypedDict):
    """A file of a conversation, with its message."""

    seq: Annotated[int, Field(description="The `seq` of its message.")]
    sender: Annotated[
        Person | None,
        Field(description="The user who uploaded it; null if the account was deleted, or an assistant has made it."),
    ]
    sent_at: Timestamp
    file: File


class ConversationFiles(ListResponse):
    """A page of the files of a conversation, newest first."""

    conversation: str
    files: list[ConversationFile]


class MessageVersions(ListResponse):
    """A page of the earlier versions of a message, oldest first."""

    conversation: str
    seq: int
    versions: list[MessageVersion]


class Conversations(ListResponse):
    """A page of the user's conversations, in the order of their ids."""

    conversations: list[Conversation]


class Session(TypedDict):
    """A private conversation with an assistant."""

    id: int
    conversation: Annotated[str, Field(description="Its name in URLs and on the socket.")]
    assistant: Annotated[str, Field(description="The assistant's name.")]
    title: Annotated[str, Field(description="Derived from the first message if no title was given.")]
    began_at: Timestamp
    used_at: Annotated[Timestamp, Field(description="The time of the last activity.")]
    ended_at: Annotated[Timestamp | None, Field(description="The time since which the session is read-only.")]
    total: Annotated[int, Field(description="The number of messages.")]
    metadata: Metadata
    category: Annotated[str, Field(description="Empty for none.")]
    tags: list[str]
    is_pinned: Annotated[bool, Field(description="Whether lists begin with it.")]


class SessionDetails(Session):
    """A private conversation with an assistant, with its prompt."""

    prompt: Annotated[str, Field(description="The prompt of the template that it began with.")]


class Sessions(TypedDict):
    """The user's assistant sessions, most recently used first."""

    limit: int
    offset: int
    sessions: list[Session]
    total: int


class FirstMessage(TypedDict):
    """A message that sessions begin with."""

    role: Annotated[str, Field(json_schema_extra={"enum": ["user", "assistant"]})]
    content: str


class TemplateSummary(TypedDict):
    """A session template in a list."""

    id: int
    name: str
    assistant: Annotated[str | None, Field(description="The assistant's name; null if the user chooses it.")]
    category: Annotated[str, Field(description="The category of the sessions.")]
    tags: Annotated[list[str], Field(description="The tags of the sessions.")]
    is_shared: Annotated[bool, Field(description="Whether it is for everyone. Admins edit these templates.")]


class Template(TemplateSummary):
    """What an assistant session can begin with."""

    prompt: Annotated[str, Field(description="The model receives it in addition to the assistant's own prompt.")]
    messages: Annotated[list[FirstMessage], Field(description="The first messages, in their order.")]


class Templates(TypedDict):
    """The templates that the user may use."""

    templates: list[TemplateSummary]
    total: int


class HistoryMessage(TypedDict):
    """A message in the form that language models use."""

    role: SenderType
    content: str
    timestamp: Timestamp


class History(TypedDict):
    """A page of the conversation that all users share with an assistant, oldest first, or what the request lacks."""

    success: Annotated[bool, Field(description="False if the request has no `bot_id`: then there is an `error`.")]
    timestamp: Annotated[Timestamp, Field(description="The time of this response.")]
    error: NotRequired[str]
    messages: NotRequired[list[HistoryMessage]]
    total: NotRequired[Annotated[int, Field(description="The number of messages on all pages.")]]
    limit: NotRequired[Annotated[int, Field(description="The maximum number of messages in this response.")]]
    offset: NotRequired[int]


class ClearedHistory(TypedDict):
    """The result of clearing a shared conversation, or what the request lacks."""

    success: Annotated[bool, Field(description="False if the request has no `bot_id`: then there is an `error`.")]
    timestamp: Timestamp
    error: NotRequired[str]
    deleted: NotRequired[Annotated[int, Field(description="The number of deleted messages.")]]


class HistoryError(TypedDict):
    """What a request for a history lacks."""

    success: Literal[False]
    error: str
    timestamp: Timestamp
