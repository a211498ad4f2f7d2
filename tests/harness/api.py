"""Helpers for tests of the HTTP API."""

from typing import Any

import requests

from tests.harness.people import Api

MESSAGES = "/conversations/general/messages"
"""The path of the general chat's messages."""


def check_problem(response: requests.Response) -> tuple[int, str]:
    """Return the status and the code of an error, and check that it is a complete problem document (RFC 9457)."""
    assert response.headers["Content-Type"] == "application/problem+json", response.text
    document = response.json()
    assert document["status"] == response.status_code
    assert document["type"] == f"urn:chatapp:problem:{document['code']}"
    assert document["title"]
    assert document["detail"]
    return response.status_code, document["code"]


def post_message(api: Api, content: str, conversation: str = "general") -> dict[str, Any]:
    """Post a message and return it."""
    response = api.post(f"/conversations/{conversation}/messages", json={"content": content})
    assert response.status_code == 201, response.text
    message: dict[str, Any] = response.json()
    return message


def list_seqs(page: dict[str, Any]) -> list[int]:
    """Return the numbers of the messages on a page."""
    return [message["seq"] for message in page["messages"]]
