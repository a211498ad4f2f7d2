"""Errors over HTTP: one page for all of them, and one document for programs."""

import math
import time
from http import HTTPStatus

import structlog
from flask import Flask, Response, current_app, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from chatapp.errors import ChatError, Internal, Unavailable
from chatapp.extensions import db, limiter
from chatapp.presentation.problems import code_of, is_for_program, problem_response

log = structlog.get_logger(__name__)

RETRY_AFTER = 5
"""Seconds after which a database that does not answer is worth another try."""


def init_errors(app: Flask) -> None:
    """Map every error to its page or document."""
    app.register_error_handler(ChatError, answer_refusal)
    app.register_error_handler(CSRFError, answer_expired_form)
    app.register_error_handler(HTTPException, answer_http)
    app.register_error_handler(Exception, answer_mistake)
    for unreachable in (OperationalError, InterfaceError, PoolTimeout):
        app.register_error_handler(unreachable, answer_unreachable)


def answer_refusal(error: ChatError) -> Response:
    """Answer what was refused."""
    return _answer(error.status, error.message, error.code, getattr(error, "retry_after", None))


def answer_expired_form(_error: CSRFError) -> Response:
    """Answer a form without a valid token: it lay open for too long, or is not ours."""
    return _answer(
        HTTPStatus.BAD_REQUEST, "This form has expired. Go back, reload the page and send it again.", "invalid"
    )


def answer_http(error: HTTPException) -> Response:
    """Answer what the routing or the framework refused."""
    messages = {
        404: "There is nothing here, or nothing that you may see.",
        405: "This page cannot be asked for in that way.",
        413: "That is more than can be sent at once.",
        415: "The body must be JSON, sent as application/json.",
        429: "Too many tries. Wait a minute and try again.",
    }
    status = HTTPStatus(error.code or 500)
    message = messages.get(status, error.description or "The request could not be answered.")
    response = _answer(status, message, code_of(status), _wait() if status == HTTPStatus.TOO_MANY_REQUESTS else None)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(error.valid_methods)
    return response


def answer_unreachable(error: Exception) -> Response:
    """Answer while the database does not."""
    log.warning("database does not answer", error=str(error))
    advice = "Try again." if is_for_program() else "What you wrote is kept in your browser; try again."
    return answer_refusal(Unavailable(f"The database does not answer. {advice}"))


def answer_mistake(error: Exception) -> Response:
    """Answer a mistake of ours; what happened is in the log."""
    log.error("request failed", exc_info=error)
    if current_app.debug:
        raise error
    return answer_refusal(Internal("Something went wrong on the server. Try again."))


def _answer(status: HTTPStatus, message: str, code: str, retry_after: int | None = None) -> Response:
    db.session.rollback()
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        retry_after = retry_after or RETRY_AFTER
    if is_for_program():
        return problem_response(status, message, code, retry_after)
    page = render_template("errors/error.html", status=status.value, title=status.phrase, message=message)
    response = make_response(page, status)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
        if request.method == "GET" and status == HTTPStatus.SERVICE_UNAVAILABLE:
            response.headers["Refresh"] = str(retry_after)
    return response


def _wait() -> int:
    """Give the seconds until the limit that was reached counts anew."""
    limit = limiter.current_limit
    return max(1, math.ceil(limit.reset_at - time.time())) if limit else 60
