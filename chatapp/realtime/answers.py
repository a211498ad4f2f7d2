"""How an event is answered: its payload read, its errors mapped, once for all handlers."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import structlog
from flask_login import current_user
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from chatapp.errors import ChatError, Internal, Invalid, Unavailable
from chatapp.extensions import socketio

log = structlog.get_logger(__name__)

Answer = dict[str, Any]


class Payload(BaseModel):
    """What an event brings. Types are taken as they are: a number in a text is no number."""

    model_config = ConfigDict(strict=True, frozen=True)


P = TypeVar("P", bound=Payload)

Handler = Callable[[P], Answer | None]


def answers(event: str, payload: type[P]) -> Callable[[Handler[P]], Callable[..., Answer]]:
    """Register the handler of an event; what it returns is acknowledged beside `ok`, what it raises as the error."""

    def decorate(handle: Handler[P]) -> Callable[..., Answer]:
        @wraps(handle)
        def answer(*arguments: object) -> Answer:
            try:
                return {"ok": True} | (handle(_parse(payload, arguments)) or {})
            except ChatError as error:
                return _refuse(error)
            except (OperationalError, InterfaceError, PoolTimeout) as error:
                log.warning("database does not answer", socket_event=event, error=str(error))
                return _refuse(Unavailable("The database does not answer. Try again in a moment."))
            except Exception:
                log.exception("event failed", socket_event=event, user=getattr(current_user, "id", None))
                return _refuse(Internal("Something went wrong on the server. Try again."))

        socketio.on(event)(answer)
        return answer

    return decorate


def _refuse(error: ChatError) -> Answer:
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
