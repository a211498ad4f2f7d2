"""Uploads of files, as the browser's code makes them."""

from typing import Any

from tests.harness.people import Person, Socket

TUS = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
"""The headers of a request that sends an upload from its beginning."""


def create(socket: Socket, size: int, name: str = "notes.txt") -> dict[str, Any]:
    """Begin an upload, and return it."""
    ack = socket.call("create_upload", {"name": name, "size": size})
    assert ack["ok"], ack
    created: dict[str, Any] = ack["upload"]
    return created


def upload(socket: Socket, person: Person, content: bytes) -> str:
    """Upload a file, and return the id of the upload."""
    created = create(socket, len(content))
    response = person.http.patch(person.server.url + created["url"], data=content, headers=TUS, timeout=60)
    assert response.status_code == 204, response.text
    upload_id: str = created["id"]
    return upload_id
