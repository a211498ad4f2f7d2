"""The OpenAPI document, by spectree: routes say what they take and answer, it reads requests by that and tells it."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from flask import Request
from pydantic import BaseModel
from spectree import Response as Described
from spectree import SecurityScheme, SpecTree
from spectree.models import InType, SecureType, SecuritySchemeData
from spectree.plugins.flask_plugin import FlaskPlugin
from werkzeug.exceptions import BadRequest

from chatapp.api.schemas import PATH_PARAMETERS, ListResponse, Problem
from chatapp.errors import (
    Archived,
    BadCharacters,
    Busy,
    ChatError,
    Conflict,
    Empty,
    Forbidden,
    Internal,
    Invalid,
    InvalidConversation,
    NotFound,
    NotText,
    RateLimited,
    SignedOut,
    TooLong,
    Unavailable,
)
from chatapp.presentation.problems import MIMETYPE
from chatapp.security import SESSION_COOKIE

EVERYWHERE: tuple[type[ChatError], ...] = (Invalid, SignedOut, Forbidden, RateLimited, Internal, Unavailable, Busy)
IN_CONVERSATIONS: tuple[type[ChatError], ...] = (InvalidConversation, NotFound)
WRITING: tuple[type[ChatError], ...] = (Archived, Conflict)

CONTENT: tuple[type[ChatError], ...] = (NotText, Empty, TooLong, BadCharacters)

# What HTTP itself refuses of a request with a body; its code is `invalid`.
OF_BODIES = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)

LINK = {"Link": {"description": "`first`, `prev` and `next` (RFC 8288).", "schema": {"type": "string"}}}
RETRY = {"Retry-After": {"description": "Seconds.", "schema": {"type": "string", "pattern": "^[0-9]+$"}}}
HEADERS = {
    "201": {"Location": {"description": "The address of what was made.", "schema": {"type": "string"}}},
    "401": {"WWW-Authenticate": {"description": "That a token is asked for.", "schema": {"type": "string"}}},
    "429": RETRY,
    "503": RETRY,
}
"""Headers that answers have, by their status."""

DESCRIPTION = """
Conversations, their messages and what one does with them. Every call acts in one person's name: by an API token
(`Authorization: Bearer …`; made under *Your settings → API tokens*), or by the session of a browser that is signed in.
With a session, what writes needs the page's CSRF token too, in the header `X-CSRFToken`.

A conversation is called `general`, `room_26`, `direct_7` or `assistant_9`; its `id` will do too. A message is known by
its conversation and `seq`, its number there: the order on the page. Lists are in that order, the oldest first; `next`
leads to what is newer, `previous` to what is older, `null` says that there is none. `Link` headers carry the same.

Errors are problem documents (RFC 9457). Their `code` is what a program goes by, the same as on the socket; what only
HTTP refuses (405, 413, 415) is `invalid`. After an error nothing was done, but for `internal` and `unavailable`, after
which that is not known: send again with the same `client_id` or `Idempotency-Key`, and it is done once.

Limits: 100 items in a response, 1,000,000 bytes in a request, 10,000 characters in a message (the installation's
`CHATAPP_MAX_MESSAGE_CHARS`), 600 requests per minute for each person (`CHATAPP_API_REQUESTS_PER_MINUTE`). The
`X-RateLimit-…` headers contain the number of remaining requests.
"""


class Answers(Described):
    """What an operation answers: a model, or one of the refusals as a problem document."""

    def __init__(
        self,
        status: HTTPStatus,
        model: type[BaseModel] | None,
        refusals: tuple[type[ChatError], ...],
        *,
        has_body: bool,
    ) -> None:
        super().__init__(**{f"HTTP_{status.value}": model})
        self._links = model is not None and issubclass(model, ListResponse)
        self._problems: dict[int, list[str]] = {}
        for refusal in refusals:
            self._problems.setdefault(refusal.status.value, []).append(refusal.code)
        if has_body:
            self._problems |= {each.value: [Invalid.code] for each in OF_BODIES}

    def generate_spec(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Give the answers as the document lists them."""
        problem = {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}
        spec: dict[str, Any] = super().generate_spec(*arguments, **options)
        for status, codes in sorted(self._problems.items()):
            spec[str(status)] = {
                "description": f"`{'`, `'.join(sorted(set(codes)))}`",
                "content": {MIMETYPE: problem},
            }
        if self._links:
            spec["200"]["headers"] = LINK
        return spec | {status: spec[status] | {"headers": HEADERS[status]} for status in HEADERS.keys() & spec.keys()}


class Plugin(FlaskPlugin):
    """The library's part for Flask, without what it does twice or too kindly."""

    def request_validation(self, request: Any, query: Any, json: Any, *others: Any) -> None:
        """Read a request. Raises `Invalid` where the library would take what is no JSON object for an empty one."""
        if json:
            _check_body(request)
        super().request_validation(request, query, json, *others)  # type: ignore[no-untyped-call]
        if json and request.context.json is None:
            # A body that is empty, and said to be a form's.
            request.context = request.context._replace(json=json.model_validate({}))

    def validate_response(self, resp: Any, *_unused: Any) -> tuple[Any, None]:
        """Let an answer pass: tests hold the answers to the document, and nobody has to wait for it each time."""
        return resp, None

    def parse_path(self, route: Any, descriptions: Mapping[str, str] | None) -> tuple[str, list[Any]]:
        """Give a path and its parameters, of which the library knows less than we."""
        path, parameters = super().parse_path(route, descriptions)
        return path, [parameter | PATH_PARAMETERS[parameter["name"]] for parameter in parameters]


def _refuse_malformed(_request: Request, _response: Any, error: Any, *_unused: Any) -> None:
    """Answer a request that has not the form that it should have as every other refusal."""
    if error is not None:
        raise Invalid("; ".join(map(_describe, error.errors()[:3])))


def _describe(error: Mapping[str, Any]) -> str:
    place = ".".join(map(str, error["loc"])) or "body"
    return f"{place}: {error['msg'].removeprefix('Value error, ')}"


def _check_body(request: Request) -> None:
    if not request.get_data():
        return
    try:
        body = request.get_json()
    except (BadRequest, RecursionError):
        raise Invalid("The body is no JSON.") from None
    if not isinstance(body, dict):
        raise Invalid("The body must be one JSON object.")


document = SpecTree(
    backend=Plugin,
    before=_refuse_malformed,
    validation_error_status=HTTPStatus.BAD_REQUEST.value,
    validation_error_model=Problem,
    naming_strategy=lambda model: model.__name__,
    nested_naming_strategy=lambda _parent, child: child,
    mode="strict",
    title="chatapp",
    version="1",
    description=DESCRIPTION.strip(),
    security_schemes=[
        SecurityScheme(
            name="token",
            data=SecuritySchemeData(type=SecureType.HTTP, scheme="bearer", description="An API token."),
        ),
        SecurityScheme(
            name="session",
            data=SecuritySchemeData(
                type=SecureType.API_KEY,
                field_in=InType.COOKIE,
                name=SESSION_COOKIE,
                description="The session of a browser that is signed in.",
            ),
        ),
    ],
    security=[{"token": []}, {"session": []}],
)

View = Callable[..., Any]


def answers(
    model: type[BaseModel] | None,
    *refusals: type[ChatError],
    status: HTTPStatus = HTTPStatus.OK,
    tag: str = "Messages",
    query: type[BaseModel] | None = None,
    json: type[BaseModel] | None = None,
    headers: type[BaseModel] | None = None,
) -> Callable[[View], View]:
    """Say of a view what it takes and answers.

    It is called with what was read: `query`, `json` and `headers`, as far as it takes them.
    """

    def describe(view: View) -> View:
        described: View = document.validate(
            query=query,
            json=json,
            headers=headers,
            resp=Answers(status, model, (*EVERYWHERE, *refusals), has_body=json is not None),
            tags=[tag],
            operation_id=view.__name__,
        )(view)
        return described

    return describe


def openapi() -> dict[str, Any]:
    """Give the document."""
    spec: dict[str, Any] = document.spec
    for operation in (each for path in spec["paths"].values() for each in path.values()):
        body = operation.get("requestBody")
        if body:
            # The library asks for every body, of which nothing is required too.
            name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            body["required"] = bool(spec["components"]["schemas"][name].get("required"))
    return spec
