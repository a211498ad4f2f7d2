"""A Socket.IO connection that is read only when the test asks for it."""

import json
import threading
import time
import uuid
from collections.abc import Callable
from socket import SO_RCVBUF, SOL_SOCKET
from typing import Any

import websocket

from tests.harness.people import Event, Person, message_payload
from tests.harness.waiting import scaled

ACK = "ack"
"""Name of acknowledgements among the events; the payload is the number of the event and the ack."""


class Wire:
    """One connection over WebSocket, with its events in the order of arrival."""

    def __init__(self, person: Person, *, receive_buffer: int = 0) -> None:
        """Connect. With a small `receive_buffer` the server soon notices that nothing is read."""
        self.events: list[Event] = []
        self._person = person
        self._last_number = 0
        self._is_connected = False
        person.sockets.append(self)  # type: ignore[arg-type]  # It is closed like the others.
        self._begin(receive_buffer)
        self._send("40")
        while not self._is_connected:
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
        """The local port."""
        assert self._socket.sock is not None
        port: int = self._socket.sock.getsockname()[1]
        return port

    def _send(self, packet: str) -> None:
        self._socket.send(packet)

    def read(self, timeout: float = 20) -> bool:
        """Read the next packet; return whether there was one within `timeout` seconds."""
        self._socket.settimeout(timeout)
        try:
            packet = self._socket.recv()
        except websocket.WebSocketTimeoutException:
            return False
        finally:
            self._socket.settimeout(20)
        assert isinstance(packet, str)
        self._process(packet)
        return True

    def _process(self, packet: str) -> None:
        if packet == "2":
            self._send("3")
        elif packet.startswith("40"):
            self._is_connected = True
        elif packet.startswith("43"):
            number, _, arguments = packet[2:].partition("[")
            self.events.append((ACK, (int(number), json.loads("[" + arguments)[0])))
        elif packet.startswith("42"):
            name, *payload = json.loads(packet[2:])
            self.events.append((name, payload[0] if payload else None))
        else:
            assert packet[:1] in {"0", "6"}, packet

    def read_until(self, is_wanted: Callable[[Event], bool], timeout: float = 30) -> Event:
        """Read until an event is the wanted one, and return it. Fails after `timeout` seconds."""
        end = time.monotonic() + scaled(timeout)
        while time.monotonic() < end:
            count = len(self.events)
            self.read(1)
            for event in self.events[count:]:
                if is_wanted(event):
                    return event
        raise AssertionError(f"not within {scaled(timeout):.0f} s after {self.events[-1:]}")

    def emit(self, event: str, payload: object) -> int:
        """Emit an event and return its number."""
        self._last_number += 1
        self._send(f"42{self._last_number}{json.dumps([event, payload])}")
        return self._last_number

    def call(self, event: str, payload: object) -> Any:
        """Emit an event, read up to its ack, and return that; it must be a success."""
        number = self.emit(event, payload)
        _, (_, ack) = self.read_until(lambda read: read[0] == ACK and read[1][0] == number)
        assert ack["ok"], ack
        return ack

    def join(self, conversation: str = "general") -> int:
        """Join a conversation and return the number of the last event in the ack."""
        to: int = self.call("join_chat", {"conversation": conversation})["to"]
        return to

    def post(self, content: str, conversation: str = "general") -> int:
        """Send a message without waiting; return the number of the event."""
        return self.emit("send_message", message_payload(content, conversation, str(uuid.uuid4())))

    def acks(self) -> list[tuple[int, Any]]:
        """Return the acks that were read: number and ack."""
        return [payload for name, payload in self.events if name == ACK]

    def versions(self, start: int = 0) -> list[int]:
        """Return the numbers of the timeline events that were read, from the position `start` in `events` on."""
        names = ("chat_message", "message_changed")
        return [payload["version"] for name, payload in self.events[start:] if name in names]

    def close(self) -> None:
        """Close the connection without a closing packet."""
        self._socket.shutdown()


class PolledWire(Wire):
    """Starts with long polling, and upgrades to WebSocket as browsers do."""

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

    def read(self, timeout: float = 20) -> bool:
        """Read the next packet, or while polling all that are there."""
        if self._is_upgraded:
            return super().read(timeout)
        for packet in self._person.http.get(self._url + self._sid, timeout=20).text.split("\x1e"):
            assert isinstance(packet, str)
            self._process(packet)
        return True

    def upgrade(self) -> None:
        """Upgrade to WebSocket; packets arrive by polling until then."""
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
        """Close the WebSocket without a closing packet."""
        if self._is_upgraded:
            super().close()
