"""A WebSocket that is read only when the test says so."""

import json
import time
import uuid
from collections.abc import Callable
from socket import SO_RCVBUF, SOL_SOCKET
from typing import Any

import websocket

from tests.harness.people import Event, Person, message_payload

ACKNOWLEDGED = "acknowledged"
"""How an acknowledgement is called among the events; its payload is its number and the answer."""


class Wire:
    """One connection, and what came over it in the order of arrival."""

    def __init__(self, person: Person, *, receive_buffer: int = 0) -> None:
        """Connect. With a small `receive_buffer` the server soon finds that nobody reads."""
        self._socket = websocket.create_connection(
            f"{person.server.url.replace('http', 'ws', 1)}/socket.io/?EIO=4&transport=websocket",
            timeout=20,
            origin=person.server.url,
            cookie=person.cookie,
            sockopt=[(SOL_SOCKET, SO_RCVBUF, receive_buffer)] if receive_buffer else [],
        )
        self.port: int = self._socket.sock.getsockname()[1]
        self.heard: list[Event] = []
        self._last_call = 0
        self._is_in = False
        person.sockets.append(self)  # type: ignore[arg-type]  # It closes like the others.
        self._socket.send("40")
        while not self._is_in:
            self.read()

    def read(self, patience: float = 20) -> bool:
        """Read one packet; tell whether there was one within `patience` seconds."""
        self._socket.settimeout(patience)
        try:
            packet = self._socket.recv()
        except websocket.WebSocketTimeoutException:
            return False
        finally:
            self._socket.settimeout(20)
        if packet == "2":
            self._socket.send("3")
        elif packet.startswith("40"):
            self._is_in = True
        elif packet.startswith("43"):
            number, _, answer = packet[2:].partition("[")
            self.heard.append((ACKNOWLEDGED, (int(number), json.loads("[" + answer)[0])))
        elif packet.startswith("42"):
            name, *payload = json.loads(packet[2:])
            self.heard.append((name, payload[0] if payload else None))
        else:
            assert packet.startswith("0"), packet
        return True

    def read_until(self, is_enough: Callable[[Event], bool], patience: float = 30) -> Event:
        """Read until something comes that is enough, and give it. Fails after `patience` seconds."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            count = len(self.heard)
            self.read(1)
            if len(self.heard) > count and is_enough(self.heard[-1]):
                return self.heard[-1]
        raise AssertionError(f"not within {patience} s after {self.heard[-1:]}")

    def emit(self, event: str, payload: object) -> int:
        """Emit an event and give the number that its acknowledgement will have."""
        self._last_call += 1
        self._socket.send(f"42{self._last_call}{json.dumps([event, payload])}")
        return self._last_call

    def call(self, event: str, payload: object) -> Any:
        """Emit an event, read up to its acknowledgement, and give that; it must be a good one."""
        number = self.emit(event, payload)
        _, (_, answer) = self.read_until(lambda heard: heard[0] == ACKNOWLEDGED and heard[1][0] == number)
        assert answer["ok"], answer
        return answer

    def join(self, conversation: str = "general") -> int:
        """Join a conversation and give the number of the last event that was told."""
        to: int = self.call("join_chat", {"conversation": conversation})["to"]
        return to

    def post(self, content: str, conversation: str = "general") -> int:
        """Send a message without waiting; give the number that its acknowledgement will have."""
        return self.emit("send_message", message_payload(content, conversation, str(uuid.uuid4())))

    def answers(self) -> list[tuple[int, Any]]:
        """List the acknowledgements that were read: number and answer."""
        return [payload for name, payload in self.heard if name == ACKNOWLEDGED]

    def versions(self, start: int = 0) -> list[int]:
        """List the events of conversations, by their numbers, that were read since `heard` was so long."""
        events = ("chat_message", "message_changed")
        return [payload["version"] for name, payload in self.heard[start:] if name in events]

    def close(self) -> None:
        """Drop the connection without a word."""
        self._socket.shutdown()
