"""Handlers of socket events: payloads are parsed and errors mapped to acknowledgements in one place.

Handlers are registered with python-socketio itself: Flask-SocketIO would rebuild a request for each event, which takes
longer than the event. The handshake has authenticated the user; each event is authorized in the database.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import structlog
from flask import Flask
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.exc import DBAPIError

from chatapp.errors import ChatError, Internal, Invalid, SignedOut, Unavailable
from chatapp.identity import AuthenticatedUser
from chatapp.operation import current_operation
from chatapp.realtime.application import Realtime
from chatapp.storage import DATABASE_ERRORS, claim_repetition, log_database_error

log = structlog.get_logger(__name__)

Ack = Mapping[str, Any]
"""Acknowledgement of an event."""

EventNumber = Annotated[int, Field(ge=0, lt=2**63)]
"""The number of a message or of an event in a payload."""


class Payload(BaseModel):
    """Payload of an event. Types are not converted: a number in a string is refused. So are unknown fields."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Caller:
    """The user and the socket that an event came from."""

    user: AuthenticatedUser
    sid: str
    realtime: Realtime

    def enter(self, channel: str) -> None:
        """Add the socket to a channel."""
        self.realtime.connections.enter(self.sid, channel)

    def leave(self, channel: str) -> None:
        """Remove the socket from a channel."""
        self.realtime.connections.leave(self.sid, channel)

    def has_entered(self, channel: str) -> bool:
        """Return whether the socket is in a channel."""
        return self.realtime.connections.is_in(self.sid, channel)


P = TypeVar("P", bound=Payload)

Handler = Callable[[Caller, P], Ack | None]

_handlers: dict[str, tuple[type[Any], Handler[Any]]] = {}
"""Filled while the modules of this package are imported, and not changed afterwards."""


def handles(event: str, payload: type[P]) -> Callable[[Handler[P]], Handler[P]]:
    """Register a function as the handler of an event.

    The acknowledgement has `ok: true` and the fields that the function returns, or `ok: false` and the error.
    """

    def register(handler: Handler[P]) -> Handler[P]:
        _handlers[event] = (payload, handler)
        return handler

    return register


def list_event_names() -> frozenset[str]:
    """Return the names of the events that have a handler."""
    return frozenset(_handlers)


def register_events(app: Flask, realtime: Realtime) -> None:
    """Register all handlers with the application's server."""
    for event, (payload, handler) in _handlers.items():
        realtime.server.on(event, _wrap_handler(app, realtime, event, payload, handler))


def _wrap_handler(
    app: Flask, realtime: Realtime, event: str, payload: type[P], handler: Handler[P]
) -> Callable[..., Ack]:
    find_user, counts = realtime.connections.find_user, realtime.event_counts

    def acknowledge(sid: str, *arguments: object) -> Ack:
        current_operation.set(event)
        ack = respond(sid, *arguments)
        counts[event, "ok" if ack["ok"] else ack["error"]["code"]] += 1
        return ack

    def respond(sid: str, *arguments: object) -> Ack:
        user = find_user(sid)
        try:
            if user is None:
                raise SignedOut("You are signed out. Sign in again.")
            with app.app_context():
                caller, parsed = Caller(user, sid, realtime), _parse(payload, arguments)
                try:
                    result = handler(caller, parsed)
                except DBAPIError as error:
                    if not claim_repetition(error):
                        raise
                    result = handler(caller, parsed)
                return {"ok": True, **(result or {})}
        except ChatError as error:
            return _refuse(error)
        except DATABASE_ERRORS as error:
            with app.app_context():
                log_database_error(error, socket_event=event)
            return _refuse(Unavailable("The database does not respond. Try again in a moment."))
        except Exception:
            log.exception("event failed", socket_event=event, user=user and user.id)
            return _refuse(Internal("Something went wrong on the server. Try again."))

    return acknowledge


def _refuse(error: ChatError) -> Ack:
    return {"ok": False, "error": error.as_dict()}


def _parse(payload: type[P], arguments: tuple[object, ...]) -> P:
    if len(arguments) != 1 or not isinstance(arguments[0], dict):
        raise Invalid("An event carries one object.")
    try:
        return payload.model_validate(arguments[0])
    except ValidationError as error:
        raise Invalid("; ".join(f"{_path(each['loc'])}: {each['msg']}" for each in error.errors()[:3])) from None


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "payload"
