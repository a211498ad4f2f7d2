"""Errors as problem documents (RFC 9457), with the same codes as in acks of socket events."""

from http import HTTPStatus

import orjson
from flask import Response, request

from chatapp.presentation.resources import Problem

MIMETYPE = "application/problem+json"

BLUEPRINTS = {
    "api",
    "api_avatars",
    "api_drafts",
    "api_emoji",
    "api_files",
    "api_mentions",
    "api_saved",
    "api_scheduled",
    "api_search",
    "api_sessions",
    "api_templates",
    "api_threads",
    "api_uploads",
    "uploads",
}
"""Blueprints whose errors are problem documents."""

ENDPOINTS = {"webhooks.post"}
"""Further endpoints whose errors are problem documents."""

CODES = {
    HTTPStatus.UNAUTHORIZED: "signed_out",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limited",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
}
"""Codes of the errors that routing and the framework raise; the other 4xx statuses have the code `invalid`."""


def expects_problem() -> bool:
    """Return whether the request is to the API or a webhook, or to an unknown path below that of the API."""
    if request.url_rule is None:
        return request.path.startswith("/api/")
    return request.blueprint in BLUEPRINTS or request.endpoint in ENDPOINTS


def code_of(status: HTTPStatus) -> str:
    """Return the code of an error that routing or the framework raised."""
    return CODES.get(status, "internal" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid")


def describe_problem(status: HTTPStatus, message: str, code: str, retry_after: int | None = None) -> Problem:
    """Return the content of a problem document."""
    problem: Problem = {
        "type": f"urn:chatapp:problem:{code}",
        "title": status.phrase,
        "status": status.value,
        "detail": message,
        "code": code,
    }
    if retry_after is not None:
        problem["retry_after"] = retry_after
    return problem


def problem_response(status: HTTPStatus, message: str, code: str, retry_after: int | None = None) -> Response:
    """Return a response with a problem document."""
    response = Response(
        orjson.dumps(describe_problem(status, message, code, retry_after)), status=status, mimetype=MIMETYPE
    )
    response.headers["Cache-Control"] = "no-store"
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="chatapp"'
    return response
