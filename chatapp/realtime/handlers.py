"""Handlers of socket events: payloads are parsed and errors mapped to acknowledgements in one place.

Flask-SocketIO would rebuild a request for each event, which takes longer than the event. The handshake has
authenticated the user; each event is authorized in the database.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from threading import Event
from time import perf_counter
from typing import Annotated, Any, Generic, TypeVar

import structlog
from flask import Flask
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from sqlalchemy.exc import DBAPIError

from chatapp.concurrency.cooperation import in_slices
from chatapp.distribution import Distribution
from chatapp.errors import ChatError, Internal, Invalid, SignedOut, Unavailable
from chatapp.identity import AuthenticatedUser
from chatapp.operation import current_operation, current_request_id
from chatapp.realtime.application import Realtime
from chatapp.socket_engine.events import Acknowledge, EventHandler, Handle
from chatapp.storage import DATABASE_ERRORS, Change, Submission, Writer, claim_repetition, log_database_error
from chatapp.storage import EXTENSION as WRITER

log = structlog.get_logger(__name__)

Ack = Mapping[str, Any]
"""Acknowledgement of an event."""

EventNumber = Annotated[int, Field(ge=0, lt=2**63)]
"""The number of a message or of an event in a payload."""

Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
"""The SHA-256 of a file, as in its URL."""

RemovedFiles = Annotated[list[Digest], Field(max_length=100)]
"""The files that an edit removes: `max_message_files` is at most this."""


class Payload(BaseModel):
    """Payload of an event. Types are not converted: a number in a string is refused. So are unknown fields."""

    # The first event builds the validator, not the start.
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", defer_build=True)


# Not frozen, as are the values of each event: these would take three times as long to create.


@dataclass(slots=True)
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
T = TypeVar("T")


@dataclass(slots=True)
class Write(Generic[T]):
    """A change that an event causes, and the function that makes the acknowledgement of its result."""

    change: Change[T]
    acknowledge: Callable[[T], Ack]


Handler = Callable[[Caller, P], Ack | None]

Preparer = Callable[[Caller, P], Write[Any]]

# Filled while the modules of this package are imported, and not changed afterwards.
_handlers: dict[str, tuple[type[Any], Handler[Any], int]] = {}
_preparers: dict[str, tuple[type[Any], Preparer[Any], str]] = {}


def handles(event: str, payload: type[P], *, cost: int = 1) -> Callable[[Handler[P]], Handler[P]]:
    """Register a function as the handler of an event. It runs on a green thread, in an application context.

    The acknowledgement has `ok: true` and the fields that the function returns, or `ok: false` and the error. The event
    counts as `cost` events of the client's rate. One that costs more than another runs in slices.
    """

    def register(handler: Handler[P]) -> Handler[P]:
        _handlers[event] = (payload, handler, cost)
        return handler

    return register


def prepares(event: str, payload: type[P], *, waiting_field: str = "") -> Callable[[Preparer[P]], Preparer[P]]:
    """Register a function that makes the change that an event causes. The event is acknowledged when that is durable.

    The event loop calls it without an application context: it must not wait, and does not read the database. For a
    payload with something in `waiting_field`, it is called on a green thread, in an application context; the events
    that the client sends after this one are handled when it has been acknowledged.
    """

    def register(preparer: Preparer[P]) -> Preparer[P]:
        _preparers[event] = (payload, preparer, waiting_field)
        return preparer

    return register


def list_event_names() -> frozenset[str]:
    """Return the names of the events that have a handler."""
    return frozenset(_handlers.keys() | _preparers.keys())


def register_events(app: Flask, realtime: Realtime) -> None:
    """Register all handlers with the application's server."""
    responders = {event: _Responder(app, realtime, event) for event in list_event_names()}
    handlers = {
        event: EventHandler(_wrap_handler(app, responders[event], payload, handler, cost))
        for event, (payload, handler, cost) in _handlers.items()
    }
    preparers = {
        event: _wrap_preparer(app, responders[event], payload, preparer, waiting_field, realtime.ack_seconds)
        for event, (payload, preparer, waiting_field) in _preparers.items()
    }
    realtime.engine.handle_events(handlers | preparers)


class _Responder:
    """Acknowledges one kind of event."""

    def __init__(self, app: Flask, realtime: Realtime, event: str) -> None:
        self._app = app
        self._realtime = realtime
        self._event = event

    def begin(self, sid: str) -> Caller:
        """Begin to handle an event of a socket. Raises `SignedOut`."""
        current_operation.set(self._event)
        user = self._realtime.connections.find_user(sid)
        if user is None:
            raise SignedOut("You are signed out. Sign in again.")
        current_request_id.set(self._realtime.connections.next_request_id(sid))
        return Caller(user, sid, self._realtime)

    def succeed(self, acknowledge: Acknowledge, ack: Ack | None) -> None:
        """Acknowledge an event that succeeded."""
        self._realtime.event_counts[self._event, "ok"] += 1
        acknowledge({"ok": True, **(ack or {})})

    def refuse(self, acknowledge: Acknowledge, error: Exception, sid: str) -> None:
        """Acknowledge an event that failed."""
        refusal = self._map(error, sid)
        self._realtime.event_counts[self._event, refusal.code] += 1
        acknowledge({"ok": False, "error": refusal.as_dict()})

    def _map(self, error: Exception, sid: str) -> ChatError:
        if isinstance(error, ChatError):
            return error
        if isinstance(error, DATABASE_ERRORS):
            with self._app.app_context():
                log_database_error(error, socket_event=self._event)
            return Unavailable("The database does not respond. Try again in a moment.")
        user = self._realtime.connections.find_user(sid)
        log.error("event failed", socket_event=self._event, user=user and user.id, exc_info=error)
        return Internal("Something went wrong on the server. Try again.")


def _wrap_handler(app: Flask, responder: _Responder, payload: type[P], handler: Handler[P], cost: int) -> Handle:
    def handle(sid: str, arguments: Sequence[object], acknowledge: Acknowledge) -> None:
        try:
            caller = responder.begin(sid)
            if cost > 1:
                caller.realtime.engine.connection_guard.count_events(sid, cost - 1)
            parsed = _parse(payload, arguments)
            with app.app_context(), in_slices() if cost > 1 else nullcontext():
                try:
                    ack = handler(caller, parsed)
                except DBAPIError as error:
                    if not claim_repetition(error):
                        raise
                    ack = handler(caller, parsed)
        except Exception as error:
            responder.refuse(acknowledge, error, sid)
        else:
            responder.succeed(acknowledge, ack)

    return handle


def _wrap_preparer(
    app: Flask,
    responder: _Responder,
    payload: type[P],
    preparer: Preparer[P],
    waiting_field: str,
    seconds: Distribution,
) -> EventHandler:
    writer: Writer = app.extensions[WRITER]

    def submit(sid: str, arguments: Sequence[object], acknowledge: Acknowledge) -> None:
        started = perf_counter()
        caller = responder.begin(sid)
        write = preparer(caller, _parse(payload, arguments))

        def settle(submission: Submission) -> None:
            try:
                ack = write.acknowledge(submission.get())
            except Exception as error:
                current_request_id.set(submission.request_id)
                responder.refuse(acknowledge, error, sid)
            else:
                responder.succeed(acknowledge, ack)
                seconds.add(perf_counter() - started)

        writer.submit_and_call(write.change, settle)

    def handle(sid: str, arguments: Sequence[object], acknowledge: Acknowledge) -> None:
        try:
            submit(sid, arguments, acknowledge)
        except Exception as error:
            responder.refuse(acknowledge, error, sid)
        finally:
            # The thread of the event loop does other work next.
            current_request_id.set("")

    def handle_waiting(sid: str, arguments: Sequence[object], acknowledge: Acknowledge) -> None:
        is_acknowledged = Event()

        def acknowledge_and_end(ack: Ack) -> None:
            try:
                acknowledge(ack)
            finally:
                is_acknowledged.set()

        with app.app_context():
            handle(sid, arguments, acknowledge_and_end)
        is_acknowledged.wait()

    return EventHandler(handle, is_immediate=True, waiting_field=waiting_field, handle_waiting=handle_waiting)


def _parse(payload: type[P], arguments: Sequence[object]) -> P:
    if len(arguments) != 1 or not isinstance(arguments[0], dict):
        raise Invalid("An event carries one object.")
    try:
        return payload.model_validate(arguments[0])
    except ValidationError as error:
        raise Invalid("; ".join(f"{_path(each['loc'])}: {each['msg']}" for each in error.errors()[:3])) from None


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "payload"
