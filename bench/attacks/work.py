"""Attacks that let the server work or wait: exports, and webhooks whose receivers are slow."""

import socket
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from bench.attacks.attack import Attack, Client
from bench.installation import Installation
from bench.room import make_message
from tests.harness.people import Person, room_path
from tests.harness.ports import free_port

EXPORTERS = 25
LONG_MESSAGES = ["w" * 9_990] * 30

WEBHOOKS = 10
"""Receivers of each message: as many as a room can have."""

BYTE_SECONDS = 2.0
POST_SECONDS = 0.5


class Exports(Attack):
    """Exports long sessions in one format, each of many people at the same time."""

    threads = accounts = EXPORTERS

    def __init__(self, *formats: str) -> None:
        self._formats = formats

    def prepare(self, target: Installation, attackers: Sequence[Person]) -> Sequence[str]:
        """See `Attack`."""
        sessions = [target.add_session(person, LONG_MESSAGES) for person in attackers[:EXPORTERS]]
        formats = self._formats
        return [
            f"/conversations/{session}/export.{formats[number % len(formats)]}"
            for number, session in enumerate(sessions)
        ]

    def run(self, client: Client) -> None:
        """See `Attack`."""
        while client.seconds_left > 0:
            client.request("GET", client.plan.paths[client.number])


class SlowWebhooks(Attack):
    """Posts messages for webhooks whose receiver sends a byte of its response every two seconds."""

    threads = 1

    def prepare(self, _target: Installation, attackers: Sequence[Person]) -> Sequence[str]:
        """See `Attack`."""
        room, port = attackers[0].create_room(), free_port()
        path = f"{room_path(room)}/webhooks"
        for number in range(WEBHOOKS):
            page = attackers[0].post(path, path, name=f"slow{number}", url=f"http://127.0.0.1:{port}/")
            assert page.ok, page.text
        return [room, str(port)]

    def run(self, client: Client) -> None:
        """See `Attack`."""
        room, port = client.plan.paths
        content = " ".join(f"@slow{number}" for number in range(WEBHOOKS))
        with socket.create_server(("127.0.0.1", int(port)), backlog=100) as server:
            threading.Thread(target=_accept, args=(server,), daemon=True).start()
            with client.connect_socket() as connection:
                while client.seconds_left > 0:
                    connection.call("send_message", make_message(room, content))
                    client.outcome.handled += 1
                    time.sleep(POST_SECONDS)


def _accept(server: socket.socket) -> None:
    with suppress(OSError):
        while True:
            threading.Thread(target=_respond_slowly, args=(server.accept()[0],), daemon=True).start()


def _respond_slowly(connection: socket.socket) -> None:
    with suppress(OSError), connection:
        for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Slow: a\r\n" * 100:
            connection.sendall(bytes((byte,)))
            time.sleep(BYTE_SECONDS)


ATTACKS: Mapping[str, Attack] = {
    "PDF exports": Exports("pdf"),
    "JSON and Markdown exports": Exports("json", "md"),
    "slow webhooks": SlowWebhooks(),
}
