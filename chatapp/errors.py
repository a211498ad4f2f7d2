"""Errors with their codes: one list for Socket.IO and HTTP."""

from http import HTTPStatus


class ChatError(Exception):
    """An error that the client can act on.

    Any layer may raise it. `chatapp.realtime.handlers` converts it into an ack, `chatapp.presentation.errors` into an
    HTTP response.
    """

    code = "internal"
    status = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def as_dict(self) -> dict[str, object]:
        """Return the error as an ack contains it."""
        return {"code": self.code, "message": self.message}


class Invalid(ChatError):
    """The request is malformed."""

    code, status = "invalid", HTTPStatus.BAD_REQUEST


class InvalidConversation(Invalid):
    """The text is not the name of a conversation."""

    code = "invalid_conversation"


class NotText(Invalid):
    """The content is not text."""

    code = "not_text"


class Empty(Invalid):
    """The content has no visible characters."""

    code = "empty"


class TooLong(Invalid):
    """The content exceeds the length limit."""

    code = "too_long"


class BadCharacters(Invalid):
    """The content has characters that cannot be stored."""

    code = "bad_characters"


class TooComplex(ChatError):
    """The content takes more time or memory to process than the server allows. Repeating the request does not help."""

    code, status = "too_complex", HTTPStatus.UNPROCESSABLE_ENTITY


class InvalidReply(ChatError):
    """The message that it replies to does not exist in the conversation, or was deleted."""

    code, status = "invalid_reply", HTTPStatus.UNPROCESSABLE_ENTITY


class ThreadRemoved(ChatError):
    """The message that the thread begins with does not exist in the conversation."""

    code, status = "thread_removed", HTTPStatus.UNPROCESSABLE_ENTITY


class InvalidUpload(ChatError):
    """A file of the message was not uploaded, is not complete, or is another user's."""

    code, status = "invalid_upload", HTTPStatus.UNPROCESSABLE_ENTITY


class FileTooLarge(ChatError):
    """The file exceeds the size limit."""

    code, status = "file_too_large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class QuotaExceeded(ChatError):
    """The user's files, or all files of the installation, would exceed their limit."""

    code, status = "quota_exceeded", HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class StorageFull(ChatError):
    """The disk has no space for files."""

    code, status = "storage_full", HTTPStatus.INSUFFICIENT_STORAGE

    def __init__(self) -> None:
        super().__init__("The disk of the server is full. Try again later, or ask an admin.")


class SignedOut(ChatError):
    """There is no valid login session or API token."""

    code, status = "signed_out", HTTPStatus.UNAUTHORIZED


class Forbidden(ChatError):
    """The user may see the resource, but not do this."""

    code, status = "forbidden", HTTPStatus.FORBIDDEN


class NotFound(ChatError):
    """The resource does not exist, or the user may not know about it."""

    code, status = "not_found", HTTPStatus.NOT_FOUND


class Conflict(ChatError):
    """The state of the resource does not allow this."""

    code, status = "conflict", HTTPStatus.CONFLICT


class OffsetConflict(Conflict):
    """The bytes do not begin where the upload ends."""

    code = "offset_conflict"


class Locked(ChatError):
    """Another request uses the upload."""

    code, status = "locked", HTTPStatus.LOCKED


class Archived(Conflict):
    """The conversation is archived and read-only."""

    code = "archived"


class RateLimited(ChatError):
    """Too many requests."""

    code, status = "rate_limited", HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds after which to try again, if known."""


class Busy(ChatError):
    """Too much work of one kind waits, or the spool is full."""

    code, status = "busy", HTTPStatus.SERVICE_UNAVAILABLE
    retry_after = 2
    """Seconds after which to try again."""

    def as_dict(self) -> dict[str, object]:
        """Return the error with the time after which to try again."""
        return super().as_dict() | {"retry_after": self.retry_after}


class Unavailable(ChatError):
    """The database, or the store of files, is unavailable."""

    code, status = "unavailable", HTTPStatus.SERVICE_UNAVAILABLE


class Internal(ChatError):
    """A bug in chatapp; the log has the exception."""


def every_error() -> list[type[ChatError]]:
    """Return all classes of errors."""
    classes, remaining = [], [ChatError]
    while remaining:
        error = remaining.pop()
        classes.append(error)
        remaining.extend(error.__subclasses__())
    return classes
