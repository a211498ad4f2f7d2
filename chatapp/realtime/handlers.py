"""How an event is answered: its payload read, its errors mapped, once for all handlers.

Handlers are registered with python-socketio itself: Flask-SocketIO would rebuild a request for each event, which costs
more than the event. Who somebody is was found at the handshake; what they may do is asked of the database each time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import structlog
from flask import Flask
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from socketio import Server
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from chatapp.errors import ChatError, Internal, Invalid, SignedOut, Unavailable
from chatapp.identity import AuthenticatedUser

log = structlog.get_logger(__name__)

Ack = Mapping[str, Any]


EventNumber = Annotated[int, Field(ge=0, lt=2**63)]
"""A message's number, or an event's, as a payload carries it."""


class Payload(BaseModel):
    """What an event brings. Types are taken as they are: a number in a text is no number."""

    model_config = ConfigDict(strict=True, frozen=True)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose event it is, and the socket that it came from."""

    person: AuthenticatedUser
    sid: str
    server: Server

    def enter(self, channel: str) -> None:
        """Let the socket hear a channel."""
        self.server.enter_room(self.sid, channel)

    def has_entered(self, channel: str) -> bool:
        """Tell whether the socket hears a channel."""
        return self.sid in self.server.manager.rooms.get("/", {}).get(channel, ())

    def leave(self, channel: str) -> None:
        """Let the socket hear a channel no longer."""
        self.server.leave_room(self.sid, channel)


P = TypeVar("P", bound=Payload)

Handler = Callable[[Caller, P], Ack | None]

_handlers: dict[str, tuple[type[Any], Handler[Any]]] = {}


def handles(event: str, payload: type[P]) -> Callable[[Handler[P]], Handler[P]]:
    """Make a function the handler of an event.

    What it returns is acknowledged beside `ok`, what it raises as the error.
    """

    def register(handle: Handler[P]) -> Handler[P]:
        _handlers[event] = (payload, handle)
        return handle

    return register


def list_events() -> frozenset[str]:
    """List the names of the events that have a handler."""
    return frozenset(_handlers)


def serve_events(app: Flask, server: Server, find_person: Callable[[str], AuthenticatedUser | None]) -> None:
    """Let the server answer every event that has a handler. `find_person` tells whose socket it is."""
    for event, (payload, handle) in _handlers.items():
        server.on(event, _make_handler(app, server, find_person, event, payload, handle))


def _make_handler(
    app: Flask,
    server: Server,
    find_person: Callable[[str], AuthenticatedUser | None],
    event: str,
    payload: type[P],
    handle: Handler[P],
) -> Callable[..., Ack]:
    def answer(sid: str, *arguments: object) -> Ack:
        person = find_person(sid)
        try:
            if person is None:
                raise SignedOut("You are signed out. Sign in again.")
            with app.app_context():
                return {"ok": True, **(handle(Caller(person, sid, server), _parse(payload, arguments)) or {})}
        except ChatError as error:
            return _refuse(error)
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            log.warning("database does not answer", socket_event=event, error=str(error))
            return _refuse(Unavailable("The database does not answer. Try again in a moment."))
        except Exception:
            log.exception("event failed", socket_event=event, user=person and person.id)
            return _refuse(Internal("Something went wrong on the server. Try again."))

    return answer


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
