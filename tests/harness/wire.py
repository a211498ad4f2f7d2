"""A WebSocket that is read only when the test says so."""

import json
import threading
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
        self.heard: list[Event] = []
        self._person = person
        self._last_call = 0
        self._is_in = False
        person.sockets.append(self)  # type: ignore[arg-type]  # It closes like the others.
        self._begin(receive_buffer)
        self._send("40")
        while not self._is_in:
            self.read()

    def _begin(self, receive_buffer: int) -> None:
        self._socket = self._open("", receive_buffer)

    def _open(self, query: str, receive_buffer: int = 0) -> websocket.WebSocket:
        url = self._person.server.url
        return websocket.create_connection(
            f"{url.replace('http', 'ws', 1)}/socket.io/?EIO=4&transport=websocket{query}",
            timeout=20,
            origin=url,
            cookie=self._person.cookie,
            sockopt=[(SOL_SOCKET, SO_RCVBUF, receive_buffer)] if receive_buffer else [],
        )

    @property
    def port(self) -> int:
        """The port at this end."""
        port: int = self._socket.sock.getsockname()[1]
        return port

    def _send(self, packet: str) -> None:
        self._socket.send(packet)

    def read(self, patience: float = 20) -> bool:
        """Read what comes first; tell whether there was something within `patience` seconds."""
        self._socket.settimeout(patience)
        try:
            packet = self._socket.recv()
        except websocket.WebSocketTimeoutException:
            return False
        finally:
            self._socket.settimeout(20)
        self._take(packet)
        return True

    def _take(self, packet: str) -> None:
        if packet == "2":
            self._send("3")
        elif packet.startswith("40"):
            self._is_in = True
        elif packet.startswith("43"):
            number, _, answer = packet[2:].partition("[")
            self.heard.append((ACKNOWLEDGED, (int(number), json.loads("[" + answer)[0])))
        elif packet.startswith("42"):
            name, *payload = json.loads(packet[2:])
            self.heard.append((name, payload[0] if payload else None))
        else:
            assert packet[:1] in {"0", "6"}, packet

    def read_until(self, is_enough: Callable[[Event], bool], patience: float = 30) -> Event:
        """Read until something comes that is enough, and give it. Fails after `patience` seconds."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            count = len(self.heard)
            self.read(1)
            for event in self.heard[count:]:
                if is_enough(event):
                    return event
        raise AssertionError(f"not within {patience} s after {self.heard[-1:]}")

    def emit(self, event: str, payload: object) -> int:
        """Emit an event and give the number that its acknowledgement will have."""
        self._last_call += 1
        self._send(f"42{self._last_call}{json.dumps([event, payload])}")
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


class PolledWire(Wire):
    """Begins with long polling, and goes over to WebSocket as the browsers' client does it."""

    def _begin(self, _receive_buffer: int) -> None:
        self._is_upgraded = False
        self._url = f"{self._person.server.url}/socket.io/?EIO=4&transport=polling"
        opening = self._person.http.get(self._url, timeout=20).text
        self._sid = f"&sid={json.loads(opening[1:])['sid']}"

    def _send(self, packet: str) -> None:
        if self._is_upgraded:
            super()._send(packet)
        else:
            assert self._person.http.post(self._url + self._sid, data=packet, timeout=20).ok

    def read(self, patience: float = 20) -> bool:
        """Read all that is there."""
        if self._is_upgraded:
            return super().read(patience)
        for packet in self._person.http.get(self._url + self._sid, timeout=20).text.split("\x1e"):
            self._take(packet)
        return True

    def upgrade(self) -> None:
        """Go over, while what is told still comes by polling."""
        is_probed = threading.Event()

        def poll() -> None:
            while not is_probed.is_set():
                self.read()

        polling = threading.Thread(target=poll)
        polling.start()
        self._socket = self._open(self._sid)
        self._socket.send("2probe")
        assert self._socket.recv() == "3probe"
        is_probed.set()
        polling.join()
        self._socket.send("5")
        self._is_upgraded = True

    def close(self) -> None:
        """Drop the connection without a word."""
        if self._is_upgraded:
            super().close()
