"""Errors over HTTP: one page for all of them."""

from http import HTTPStatus

import structlog
from flask import Flask, render_template, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from chatapp.errors import ChatError, Internal, Unavailable
from chatapp.extensions import db

log = structlog.get_logger(__name__)

Answer = tuple[str, int, dict[str, str]]


def init_errors(app: Flask) -> None:
    """Map every error to its page."""
    app.register_error_handler(ChatError, answer_refusal)
    app.register_error_handler(CSRFError, answer_expired_form)
    app.register_error_handler(HTTPException, answer_http)
    app.register_error_handler(Exception, answer_mistake)
    for unreachable in (OperationalError, InterfaceError, PoolTimeout):
        app.register_error_handler(unreachable, answer_unreachable)


def answer_refusal(error: ChatError) -> Answer:
    """Answer what was refused."""
    return _page(error.status, error.message)


def answer_expired_form(_error: CSRFError) -> Answer:
    """Answer a form without a valid token: it lay open for too long, or is not ours."""
    return _page(HTTPStatus.BAD_REQUEST, "This form has expired. Go back, reload the page and send it again.")


def answer_http(error: HTTPException) -> Answer:
    """Answer what the routing or the framework refused."""
    messages = {
        404: "There is nothing here, or nothing that you may see.",
        405: "This page cannot be asked for in that way.",
        413: "That is more than can be sent at once.",
        429: "Too many tries. Wait a minute and try again.",
    }
    status = error.code or 500
    return _page(HTTPStatus(status), messages.get(status, error.description or "The request could not be answered."))


def answer_unreachable(error: Exception) -> Answer:
    """Answer while the database does not."""
    log.warning("database does not answer", error=str(error))
    return answer_refusal(
        Unavailable("The database does not answer. What you wrote is kept in your browser; try again.")
    )


def answer_mistake(error: Exception) -> Answer:
    """Answer a mistake of ours; what happened is in the log."""
    log.error("request failed", exc_info=error)
    return answer_refusal(Internal("Something went wrong on the server. Try again."))


def _page(status: HTTPStatus, message: str) -> Answer:
    db.session.rollback()
    headers = {}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "5"
        if request.method == "GET":
            headers["Refresh"] = "5"
    page = render_template("errors/error.html", status=status.value, title=status.phrase, message=message)
    return page, status, headers
