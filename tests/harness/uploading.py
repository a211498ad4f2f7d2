"""Uploading of files as a browser does it, in steps that a test can break."""

import socket
from dataclasses import dataclass
from typing import IO, Any

import requests

from tests.harness.people import Person, Socket, message_payload
from tests.harness.servers import Server
from tests.harness.waiting import scaled

VERSION = {"Tus-Resumable": "1.0.0"}


@dataclass(frozen=True)
class Uploading:
    """An upload on a server. Without `http` its requests have no cookie: the id is enough."""

    server: Server
    id: str
    path: str
    size: int
    http: requests.Session | None = None
    """The session that sends the requests; a new one for each by default."""

    @classmethod
    def begin(
        cls, server: Server, chat: Socket, name: str, size: int, http: requests.Session | None = None
    ) -> "Uploading":
        """Create an upload with the event of pages."""
        ack = chat.call("create_upload", {"name": name, "size": size})
        assert ack["ok"], ack
        return cls(server, ack["upload"]["id"], ack["upload"]["url"], ack["upload"]["size"], http)

    def patch(self, content: bytes | IO[bytes], offset: int) -> requests.Response:
        """Add bytes."""
        headers = {**VERSION, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        return self._request("PATCH", headers=headers, data=content)

    def offset(self) -> int:
        """Return where the upload continues."""
        response = self._request("HEAD", headers=VERSION)
        assert response.ok, response.status_code
        assert int(response.headers["Upload-Length"]) == self.size
        return int(response.headers["Upload-Offset"])

    def delete(self) -> requests.Response:
        """Remove the upload."""
        return self._request("DELETE", headers=VERSION)

    def begin_patch(self, content: bytes, offset: int, length: int) -> socket.socket:
        """Send the beginning of a body of `length` bytes on a connection of its own, which the caller closes."""
        connection = socket.create_connection(("127.0.0.1", self.server.port), timeout=scaled(30))
        head = (
            f"PATCH {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.server.port}\r\nTus-Resumable: 1.0.0\r\n"
            f"Upload-Offset: {offset}\r\nContent-Type: application/offset+octet-stream\r\n"
            f"Content-Length: {length}\r\n\r\n"
        )
        connection.sendall(head.encode() + content)
        return connection

    def _request(self, method: str, **options: Any) -> requests.Response:
        send = self.http.request if self.http else requests.request
        return send(method, self.server.url + self.path, timeout=scaled(60), **options)


def upload(server: Server, chat: Socket, name: str, content: bytes, http: requests.Session | None = None) -> Uploading:
    """Upload a file completely."""
    uploading = Uploading.begin(server, chat, name, len(content), http)
    if content:
        response = uploading.patch(content, 0)
        assert response.status_code == 204, response.text
    return uploading


def send_files(chat: Socket, *uploads: Uploading, conversation: str = "general") -> dict[str, Any]:
    """Send a message with files, and return the acknowledgement."""
    payload = message_payload("", conversation) | {"files": [{"upload": each.id, "alt": ""} for each in uploads]}
    ack: dict[str, Any] = chat.call("send_message", payload)
    return ack


def download(person: Person, message: dict[str, Any]) -> list[bytes]:
    """Return the contents of the files of a message."""
    responses = [person.get(file["url"]) for file in message["files"]]
    assert all(response.ok for response in responses), responses
    return [response.content for response in responses]
