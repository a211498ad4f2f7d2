"""The OpenAPI document, generated with spectree. The same declarations validate the requests."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from flask import Request
from pydantic import BaseModel
from spectree import Response as ResponseSpec
from spectree import SecurityScheme, SpecTree
from spectree.model_adapter.pydantic_adapter import PydanticModelAdapter
from spectree.models import InType, SecureType, SecuritySchemeData
from spectree.plugins.flask_plugin import FlaskPlugin
from typing_extensions import is_typeddict
from werkzeug.exceptions import BadRequest

from chatapp.api.schemas import PATH_PARAMETERS
from chatapp.concurrency.cooperation import checkpoint
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
from chatapp.limits.json_depth import MAX_JSON_DEPTH
from chatapp.presentation.problems import MIMETYPE
from chatapp.presentation.resources import Problem
from chatapp.web.security import SESSION_COOKIE

COMMON_ERRORS: tuple[type[ChatError], ...] = (Invalid, SignedOut, Forbidden, RateLimited, Internal, Unavailable, Busy)
CONVERSATION_ERRORS: tuple[type[ChatError], ...] = (InvalidConversation, NotFound)
WRITE_ERRORS: tuple[type[ChatError], ...] = (Archived, Conflict)
CONTENT_ERRORS: tuple[type[ChatError], ...] = (NotText, Empty, TooLong, BadCharacters)

BODY_STATUSES = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
"""Statuses of requests with an unacceptable body, by the standard of HTTP. Their code is `invalid`."""

EMPTY_BODIES = {b"", b"{}"}
"""Bodies of requests that have no fields."""

LINK = {"Link": {"description": "`first`, `prev` and `next` (RFC 8288).", "schema": {"type": "string"}}}
RETRY = {"Retry-After": {"description": "Seconds.", "schema": {"type": "string", "pattern": "^[0-9]+$"}}}
HEADERS = {
    "201": {"Location": {"description": "The URL of the created object.", "schema": {"type": "string"}}},
    "401": {"WWW-Authenticate": {"description": "The authentication scheme.", "schema": {"type": "string"}}},
    "429": RETRY,
    "503": RETRY,
}
"""Response headers by status."""

_CONTENT = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
FILE = {
    "200": {"description": "The file.", "content": _CONTENT},
    "206": {"description": "The part of the file that the header `Range` names.", "content": _CONTENT},
    "302": {"description": "The file is at a URL of another host, which soon expires and needs no token."},
    "304": {"description": "The file has the `ETag` in `If-None-Match`."},
    "416": {"description": "The file is shorter than the part that `Range` names. The response has no body."},
}
"""Responses with a file instead of JSON, by status."""

DESCRIPTION = """
Read and write conversations and messages. Each request acts on behalf of one user. Authenticate with an API token
(`Authorization: Bearer …`; create one under *Your settings → API tokens*) or with the session cookie of a signed-in
browser. With a cookie, requests that write also need the page's CSRF token in the `X-CSRFToken` header.

A conversation is identified by its name (`general`, `room_26`, `direct_7`, `assistant_9`) or its `id`, a message by its
conversation and its number there, `seq`. Lists are ordered by number, oldest first. `next` is the URL of newer items,
`previous` the URL of older items; `null` means that there are none. `Link` headers contain the same URLs.

Unknown fields and query parameters are refused with status 400.

Errors are problem documents (RFC 9457). Programs should check the `code`, which is the same as on the socket. Errors of
HTTP itself (405, 413, 415) have the code `invalid`. A request that fails has changed nothing, except with the codes
`internal` and `unavailable`, where the outcome is unknown: repeat the request with the same `client_id` or
`Idempotency-Key`, and it takes effect once.

Limits: 100 items in a response, 1,000,000 bytes in a request, 10,000 characters in a message (the installation's
`CHATAPP_MAX_MESSAGE_CHARS`), 600 requests per minute for each user (`CHATAPP_API_REQUESTS_PER_MINUTE`). The
`X-RateLimit-…` headers contain the number of remaining requests.
"""


class ModelAdapter(PydanticModelAdapter):
    """Also accepts typed dictionaries, which describe responses."""

    def is_model_type(self, value: type) -> bool:
        """Return whether a class describes a request or a response."""
        return is_typeddict(value) or super().is_model_type(value)


class Responses(ResponseSpec):
    """The responses of an operation: a model, and the errors as problem documents."""

    def __init__(
        self,
        status: HTTPStatus,
        model: type | None,
        errors: tuple[type[ChatError], ...],
        *,
        has_body: bool,
        may_exist: bool,
        is_file: bool,
    ) -> None:
        statuses = {status, HTTPStatus.OK} if may_exist else {status}
        super().__init__(**{f"HTTP_{each.value}": model for each in statuses})
        self._has_links = model is not None and "next" in model.__annotations__
        self._is_file = is_file
        self._codes: dict[int, set[str]] = {}
        for error in errors:
            self._codes.setdefault(error.status.value, set()).add(error.code)
        if has_body:
            self._codes |= {body_status.value: {Invalid.code} for body_status in BODY_STATUSES}

    def generate_spec(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Return the responses as the document lists them."""
        problem = {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}
        spec: dict[str, Any] = super().generate_spec(*arguments, **options)
        for status, codes in sorted(self._codes.items()):
            spec[str(status)] = {
                "description": f"`{'`, `'.join(sorted(codes))}`",
                "content": {MIMETYPE: problem},
            }
        # Of the server itself, before the request reaches the application.
        spec["414"] = {"description": "The request's first line has more than 8 KiB. The response has no body."}
        if self._has_links:
            spec["200"]["headers"] = LINK
        if self._is_file:
            spec |= FILE
        return spec | {status: spec[status] | {"headers": HEADERS[status]} for status in HEADERS.keys() & spec.keys()}


class Plugin(FlaskPlugin):
    """The library's Flask plugin, with stricter requests and without validation of responses."""

    def request_validation(self, request: Any, query: Any, json: Any, *others: Any) -> None:
        """Validate a request. Raises `Invalid` for what the library would ignore."""
        if json:
            _check_body(request)
        elif request.method not in {"GET", "HEAD"} and request.get_data() not in EMPTY_BODIES:
            raise Invalid("This request has no body.")
        if query is None and request.args:
            raise Invalid(_describe_unknown(next(iter(request.args))))
        super().request_validation(request, query, json, *others)  # type: ignore[no-untyped-call]
        if json and request.context.json is None:
            # An empty body with the content type of a form.
            request.context = request.context._replace(json=json.model_validate({}))

    def validate_response(self, resp: Any, *_unused: Any) -> tuple[Any, None]:
        """Accept every response. mypy checks how they are built, and tests check them against the document."""
        return resp, None

    def parse_path(self, route: Any, descriptions: Mapping[str, str] | None) -> tuple[str, list[Any]]:
        """Return a path and its parameters, with our descriptions and schemas."""
        path, parameters = super().parse_path(route, descriptions)
        return path, [parameter | PATH_PARAMETERS[parameter["name"]] for parameter in parameters]


def _raise_invalid(_request: Request, _response: Any, error: Any, *_unused: Any) -> None:
    """Raise `Invalid` if the library found an error in a request."""
    if error is not None:
        raise Invalid("; ".join(map(_describe_error, error.errors()[:3])))


def _describe_error(error: Mapping[str, Any]) -> str:
    location = ".".join(map(str, error["loc"])) or "body"
    if error["type"] == "extra_forbidden":
        return _describe_unknown(location)
    return f"{location}: {error['msg'].removeprefix('Value error, ')}"


def _describe_unknown(name: str) -> str:
    return f"{name}: This field or query parameter does not exist."


def _check_body(request: Request) -> None:
    if not request.get_data():
        return
    try:
        body = request.get_json()
    except BadRequest:
        raise Invalid(f"The body must be valid JSON, nested at most {MAX_JSON_DEPTH} levels deep.") from None
    if not isinstance(body, dict):
        raise Invalid("The body must be a JSON object.")


class Document(SpecTree):
    """Generates the schemas of models when the document is requested: at a start it would take a tenth of a second."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._declared: list[tuple[type, Any]] = []

    def _add_model(self, model: type, mode: Any = "validation") -> str:
        """Record a model, and return its name in the document."""
        self._declared.append((model, mode))
        return self.naming_strategy(model)

    def _generate_spec(self) -> dict[str, Any]:
        """Generate the schemas, without holding up others, and then the document."""
        for model, mode in self._declared:
            super()._add_model(model, mode)
            checkpoint()
        return super()._generate_spec()


document = Document(
    backend=Plugin,
    model_adapter=ModelAdapter(),
    before=_raise_invalid,
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
                description="The session cookie of a signed-in browser.",
            ),
        ),
    ],
    security=[{"token": []}, {"session": []}],
)

View = Callable[..., Any]


def describe(
    model: type | None,
    *errors: type[ChatError],
    status: HTTPStatus = HTTPStatus.OK,
    tag: str = "Messages",
    query: type[BaseModel] | None = None,
    json: type[BaseModel] | None = None,
    headers: type[BaseModel] | None = None,
    may_exist: bool = False,
    is_file: bool = False,
) -> Callable[[View], View]:
    """Declare the request and the responses of a view, for the document and for validation.

    With `is_file` the response is a stored file.

    With `may_exist` the response has status 200 instead of `status` if what the request creates exists already.

    The view receives the validated parts of the request as the arguments `query`, `json` and `headers`, if declared.
    """

    def decorate(view: View) -> View:
        decorated: View = document.validate(
            query=query,
            json=json,
            headers=headers,
            resp=Responses(
                status,
                model,
                (*COMMON_ERRORS, *errors),
                has_body=json is not None,
                may_exist=may_exist,
                is_file=is_file,
            ),
            tags=[tag],
            operation_id=view.__name__,
        )(view)
        return decorated

    return decorate


def openapi() -> dict[str, Any]:
    """Return the OpenAPI document."""
    spec: dict[str, Any] = document.spec
    for operation in (operation for path in spec["paths"].values() for operation in path.values()):
        body = operation.get("requestBody")
        if body:
            # The library marks every body as required, even if all of its fields are optional.
            name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            schema = spec["components"]["schemas"][name]
            body["required"] = bool(schema.get("required") or schema.get("oneOf"))
    return spec
