"""The operation of an HTTP request: its method and its route."""

from flask import Flask, request

from chatapp.operation import current_operation


def init_operations(app: Flask) -> None:
    """Set the operation of each request. To be called before anything that queries the database for a request."""
    app.before_request(_begin)


def _begin() -> None:
    rule = request.url_rule
    current_operation.set(f"{request.method} {rule.rule}" if rule else f"{request.method} (no route)")
