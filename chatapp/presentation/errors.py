"""Error handlers: an error is shown as a page, or as a problem document to programs."""

from http import HTTPStatus

import structlog
from flask import Flask, Response, current_app, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import ClientDisconnected, HTTPException, MethodNotAllowed

from chatapp.errors import ChatError, Internal, Unavailable
from chatapp.extensions import db
from chatapp.presentation.conversations import render_remembered_conversation
from chatapp.presentation.problems import code_of, expects_problem, problem_response
from chatapp.storage import DATABASE_ERRORS, claim_repetition, log_database_error

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = 5
"""The header `Retry-After` of responses while the database or the bucket is unavailable."""

TITLES = {HTTPStatus.UNPROCESSABLE_ENTITY: "Too Large to Process"}
"""Titles of error pages that are clearer than the standard phrase of the status."""


def init_errors(app: Flask) -> None:
    """Register a handler for each type of error."""
    app.register_error_handler(ChatError, handle_chat_error)
    app.register_error_handler(CSRFError, handle_csrf_error)
    app.register_error_handler(HTTPException, handle_http_exception)
    app.register_error_handler(ClientDisconnected, handle_incomplete_body)
    app.register_error_handler(Exception, handle_bug)
    for unreachable in DATABASE_ERRORS:
        app.register_error_handler(unreachable, handle_database_error)


def handle_chat_error(error: ChatError) -> Response:
    """Respond to an error that the application raised on purpose."""
    return _respond(error.status, error.message, error.code, getattr(error, "retry_after", None))


def handle_csrf_error(_error: CSRFError) -> Response:
    """Respond to a form without a valid CSRF token: it has expired, or another site sent it."""
    return _respond(
        HTTPStatus.BAD_REQUEST, "This form has expired. Go back, reload the page and submit the form again.", "invalid"
    )


def handle_http_exception(error: HTTPException) -> Response:
    """Respond to an error that routing or the framework raised."""
    messages = {
        404: "This page does not exist, or you do not have access to it.",
        405: "This page does not support this request method.",
        413: "The request is too large.",
        415: "The body must be JSON with the content type application/json.",
    }
    status = HTTPStatus(error.code or 500)
    message = messages.get(status, error.description or "The request could not be processed.")
    response = _respond(status, message, code_of(status))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(error.valid_methods)
    return response


def handle_incomplete_body(_error: ClientDisconnected) -> Response:
    """Respond to a request whose body did not arrive in time, or not at all."""
    message = "The request did not arrive in time. Try again."
    if expects_problem():
        return _respond(HTTPStatus.REQUEST_TIMEOUT, message, "invalid")
    # Not a page: most of these clients are gone, and it would take longer than everything else about the request.
    return Response(message, HTTPStatus.REQUEST_TIMEOUT, mimetype="text/plain")


def handle_database_error(error: Exception) -> ResponseReturnValue:
    """Repeat a request whose connection the database has dropped; otherwise respond that it is unavailable."""
    if claim_repetition(error):
        try:
            return current_app.preprocess_request() or current_app.dispatch_request()
        except Exception as repeated:
            return current_app.handle_user_exception(repeated)
    log_database_error(error)
    if page := render_remembered_conversation():
        return page
    advice = "Try again." if expects_problem() else "Your message is kept in your browser. Try again."
    return handle_chat_error(Unavailable(f"The database is unavailable. {advice}"))


def handle_bug(error: Exception) -> Response:
    """Log an unexpected exception and respond with a general error."""
    log.error("request failed", exc_info=error)
    if current_app.debug:
        raise error
    return handle_chat_error(Internal("Something went wrong on the server. Try again."))


def _respond(status: HTTPStatus, message: str, code: str, retry_after: int | None = None) -> Response:
    db.session.rollback()
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        retry_after = retry_after or RETRY_AFTER_SECONDS
    if expects_problem():
        return problem_response(status, message, code, retry_after)
    page = render_template(
        "errors/error.html", status=status.value, title=TITLES.get(status, status.phrase), message=message
    )
    response = make_response(page, status)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
        if request.method == "GET" and status == HTTPStatus.SERVICE_UNAVAILABLE:
            response.headers["Refresh"] = str(retry_after)
    return response
