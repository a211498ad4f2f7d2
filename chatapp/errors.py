"""What can be refused, with one list of codes for the socket and for HTTP."""

from http import HTTPStatus


class ChatError(Exception):
    """A refusal that its receiver can act on.

    Raised where it is found, by whatever layer, and turned into an answer once: by `chatapp.realtime.handlers` for the
    socket and by `chatapp.presentation.errors` for HTTP.
    """

    code = "internal"
    status = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def as_dict(self) -> dict[str, object]:
        """Give the error as it stands in an acknowledgement."""
        return {"code": self.code, "message": self.message}


class Invalid(ChatError):
    """The request has not the form that it should have."""

    code, status = "invalid", HTTPStatus.BAD_REQUEST


class InvalidConversation(Invalid):
    """Not the name of a conversation."""

    code = "invalid_conversation"


class NotText(Invalid):
    """The content is not text."""

    code = "not_text"


class Empty(Invalid):
    """The content is nothing but white space."""

    code = "empty"


class TooLong(Invalid):
    """The content is over the limit."""

    code = "too_long"


class BadCharacters(Invalid):
    """The content has characters that no database can keep."""

    code = "bad_characters"


class SignedOut(ChatError):
    """The session has ended, or there never was one."""

    code, status = "signed_out", HTTPStatus.UNAUTHORIZED


class Forbidden(ChatError):
    """The thing may be seen, but not this done to it."""

    code, status = "forbidden", HTTPStatus.FORBIDDEN


class NotFound(ChatError):
    """There is no such thing, or none that this person may know of."""

    code, status = "not_found", HTTPStatus.NOT_FOUND


class Conflict(ChatError):
    """The thing is in no state for this."""

    code, status = "conflict", HTTPStatus.CONFLICT


class Archived(Conflict):
    """The room is archived and read only."""

    code = "archived"


class RateLimited(ChatError):
    """Too many tries."""

    code, status = "rate_limited", HTTPStatus.TOO_MANY_REQUESTS


class Busy(ChatError):
    """More waits to be written than may wait."""

    code, status = "busy", HTTPStatus.SERVICE_UNAVAILABLE
    retry_after = 2
    """Seconds after which another try makes sense."""

    def as_dict(self) -> dict[str, object]:
        """Give the error with the time after which to try again."""
        return super().as_dict() | {"retry_after": self.retry_after}


class Unavailable(ChatError):
    """The database does not answer."""

    code, status = "unavailable", HTTPStatus.SERVICE_UNAVAILABLE


class Internal(ChatError):
    """Our own mistake; what happened is in the log."""


def every_error() -> list[type[ChatError]]:
    """List every kind of refusal."""
    found, waiting = [], [ChatError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting.extend(kind.__subclasses__())
    return found
