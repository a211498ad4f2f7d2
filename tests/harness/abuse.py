"""Abusive clients: connections that send any bytes, and report when the server has closed them."""

import base64
import http.client
import json
import os
import re
import socket
import struct
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urlsplit

from tests.harness.people import Person, message_payload
from tests.harness.waiting import eventually, scaled

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
"""Opcodes of WebSocket."""

ABUSIVE_ADDRESS = "127.0.0.2"
"""Address of abusive clients, so that the limits of an address do not apply to the others."""


def frame(
    data: bytes | str,
    *,
    opcode: int = TEXT,
    fin: bool = True,
    reserved: int = 0,
    mask: bytes | None = b"\x37\xfa\x21\x3d",
    claimed: int | None = None,
) -> bytes:
    """Return a WebSocket frame. `claimed` is the length in its header, if it is not the true one."""
    body = data.encode() if isinstance(data, str) else data
    length = len(body) if claimed is None else claimed
    masked = 0x80 if mask else 0
    head = bytes((fin << 7 | reserved << 4 | opcode,))
    if length < 126:
        head += bytes((masked | length,))
    elif length < 2**16:
        head += struct.pack("!BH", masked | 126, length)
    else:
        head += struct.pack("!BQ", masked | 127, length)
    return head + (mask + _masked(body, mask) if mask else body)


def _masked(body: bytes, mask: bytes) -> bytes:
    key = (mask * (len(body) // 4 + 1))[: len(body)]
    return (int.from_bytes(body, "big") ^ int.from_bytes(key, "big")).to_bytes(len(body), "big")


class HandshakeRefused(ConnectionError):
    """The server's response to the handshake was not a WebSocket."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.headers = headers


class RawSocket:
    """A WebSocket connection to Engine.IO, authenticated if it has a cookie.

    Sending over a closed connection does nothing: `receive` reports the end. Raises `HandshakeRefused` when the server
    does not upgrade the connection.
    """

    def __init__(
        self,
        url: str,
        cookie: str = "",
        *,
        address: str = ABUSIVE_ADDRESS,
        timeout: float = 20,
        buffer: int | None = None,
        sid: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._last_id = 0
        self._rest = b""
        self._acks: dict[int, bytes] = {}
        """Acks that were not waited for yet: that of a refused event arrives before those of stored ones."""
        self._socket = socket.socket()
        try:
            self._socket.settimeout(timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if buffer is not None:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            self._socket.bind((address, 0))
            self._socket.connect((parts.hostname, parts.port))
            own_headers = {"Host": parts.netloc, "Origin": url, "Cookie": cookie} | dict(headers or {})
            self.headers = self._upgrade(own_headers, f"&sid={sid}" if sid else "")
            """Headers of the server's response to the handshake."""
        except BaseException:
            self._socket.close()
            raise

    @classmethod
    def connect(cls, url: str, cookie: str, **options: Any) -> "RawSocket":
        """Open a connection and wait for the CONNECT packet. Raises `ConnectionError` when Socket.IO refuses it."""
        connection = cls(url, cookie, **options)
        connection.send_packets("40")
        while not (packet := connection.receive()).startswith(b"40"):
            if packet.startswith(b"44"):
                connection.close()
                raise ConnectionError(packet.decode(errors="replace"))
        return connection

    def _upgrade(self, headers: Mapping[str, str], query: str) -> Mapping[str, str]:
        key = base64.b64encode(os.urandom(16)).decode()
        upgrade = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
        }
        lines = [f"{name}: {value}" for name, value in (upgrade | dict(headers)).items()]
        start = f"GET /socket.io/?EIO=4&transport=websocket{query} HTTP/1.1"
        self.send("\r\n".join([start, *lines, "", ""]).encode())
        while b"\r\n\r\n" not in self._rest:
            self._fill()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        first, *lines = head.decode(errors="replace").split("\r\n")
        response = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        if (status := int(first.split()[1])) != 101:
            raise HandshakeRefused(status, response)
        return response

    def send(self, data: bytes) -> None:
        """Send bytes without framing."""
        try:
            self._socket.sendall(data)
        except TimeoutError:
            raise
        except OSError:
            pass

    def send_packets(self, *packets: str | bytes) -> None:
        """Send packets, each in a frame of its own."""
        self.send(b"".join(frame(packet) for packet in packets))

    def receive(self) -> bytes:
        """Return the next packet; respond to pings. Raises `ConnectionError` when the connection is closed."""
        while True:
            opcode, data = self._receive_frame()
            if data == b"2":
                self.send_packets("3")
            elif opcode in {TEXT, BINARY}:
                return data

    def call(self, event: str, *payload: Any) -> Any:
        """Emit an event and return its ack."""
        self._last_id += 1
        self.send_packets(f"42{self._last_id}" + json.dumps([event, *payload]))
        return self.wait_for_ack(self._last_id)

    def wait_for_ack(self, number: int) -> Any:
        """Return the ack with a number. Raises `TimeoutError` when only other packets arrive for too long."""
        end = time.monotonic() + (self._socket.gettimeout() or 0)
        while number not in self._acks:
            if ack := re.match(rb"43(\d+)(\[.*)", self.receive(), re.DOTALL):
                self._acks[int(ack[1])] = ack[2]
            if time.monotonic() > end:
                raise TimeoutError
        return json.loads(self._acks.pop(number))[0]

    def set_timeout(self, seconds: float) -> None:
        """Raise `TimeoutError` after so many seconds from now on."""
        self._socket.settimeout(seconds)

    def is_closed_within(self, seconds: float) -> bool:
        """Return whether the server closes the connection; what it sends before is discarded."""
        self._socket.settimeout(0.1)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if not self._socket.recv(2**16):
                    return True
            except TimeoutError:
                continue
            except OSError:
                return True
        return False

    def close(self) -> None:
        """Close the connection without a closing packet."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive_frame(self) -> tuple[int, bytes]:
        head = self._read(2)
        length = head[1] & 0x7F
        if length >= 126:
            length = int.from_bytes(self._read(2 if length == 126 else 8), "big")
        return head[0] & 0x0F, self._read(length)

    def _read(self, count: int) -> bytes:
        while len(self._rest) < count:
            self._fill()
        data, self._rest = self._rest[:count], self._rest[count:]
        return data

    def _fill(self) -> None:
        data = self._socket.recv(2**18)
        if not data:
            raise ConnectionError("the server has closed the connection")
        self._rest += data


class Polling:
    """An Engine.IO connection over long polling."""

    def __init__(self, url: str, cookie: str = "", *, address: str = ABUSIVE_ADDRESS) -> None:
        self._host = urlsplit(url).netloc
        self._headers = {"Cookie": cookie, "Origin": url}
        self._address = address
        self.sid = ""

    @classmethod
    def connect(cls, url: str, cookie: str, **options: Any) -> "Polling":
        """Open a connection and wait for the CONNECT packet."""
        connection = cls(url, cookie, **options)
        status, _, body = connection.fetch()
        assert status == 200, (status, body)
        connection.sid = json.loads(body[1:])["sid"]
        assert connection.post("40")[0] == 200
        while b"40{" not in connection.fetch()[2]:
            pass
        return connection

    def fetch(self) -> tuple[int, Mapping[str, str], bytes]:
        """Fetch queued packets: return status, headers and body of the response."""
        return self._request("GET")

    def post(self, body: str | bytes, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
        """Send packets: return status, headers and body of the response."""
        return self._request("POST", body.encode() if isinstance(body, str) else body, headers)

    def call(self, event: str, payload: object) -> Any:
        """Emit an event and return its ack."""
        assert self.post("421" + json.dumps([event, payload]))[0] == 200
        while True:
            status, _, body = self.fetch()
            if status != 200:
                raise ConnectionError(f"status {status}")
            for packet in body.split(b"\x1e"):
                if packet.startswith(b"431["):
                    return json.loads(packet[3:])[0]

    def is_closed(self) -> bool:
        """Return whether the server has closed the connection: its id is unknown then."""
        return self.post("3")[0] != 200

    def _request(
        self, method: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        connection = http.client.HTTPConnection(self._host, timeout=20, source_address=(self._address, 0))
        path = "/socket.io/?EIO=4&transport=polling" + (f"&sid={self.sid}" if self.sid else "")
        try:
            connection.request(method, path, body, self._headers | dict(headers or {}))
            response = connection.getresponse()
            response_headers = {name.lower(): value for name, value in response.getheaders()}
            return response.status, response_headers, response.read()
        finally:
            connection.close()


class Bystanders:
    """Two users who chat meanwhile. `check` fails if a message was lost, duplicated or out of order."""

    def __init__(self, sender: Person, listener: Person, pause: float = 0.02) -> None:
        self._sender = sender.connect()
        self._listener = listener.connect()
        self._listener.join()
        self._sender.join()
        self._pause = pause
        self._acknowledged: list[str] = []
        self._latencies: list[float] = []
        self._stop = threading.Event()
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._chat, daemon=True)
        self._thread.start()

    def _chat(self) -> None:
        try:
            while not self._stop.wait(self._pause):
                content = f"bystander {uuid.uuid4()}"
                start = time.monotonic()
                ack = self._sender.call("send_message", message_payload(content))
                self._latencies.append(time.monotonic() - start)
                assert ack["ok"], ack
                self._acknowledged.append(content)
        except BaseException as error:
            self._problem = error

    def max_latency(self) -> float:
        """Return the longest time that an ack took since the last call."""
        count = len(self._latencies)
        while len(self._latencies) < count + 2 and self._problem is None:
            time.sleep(0.005)
        latencies, self._latencies = self._latencies, []
        return max(latencies, default=0.0)

    def check_latency(self, seconds: float = 1.0) -> None:
        """Check that no ack took longer since the last call, on an idle reference machine."""
        latency = self.max_latency()
        assert latency < scaled(seconds), f"a message was acknowledged after {latency:.1f} s"

    def check(self) -> None:
        """Stop, and compare the received messages with the sent ones."""
        self._stop.set()
        self._thread.join()
        if self._problem is not None:
            raise self._problem
        assert self._acknowledged, "nothing was sent: this proves nothing"
        own = set(self._acknowledged)

        def received() -> list[str]:
            return [content for content in self._listener.contents() if content in own]

        eventually(lambda: len(received()) >= len(self._acknowledged), "everything is received")
        assert received() == self._acknowledged
        assert self._sender.is_connected()
        assert self._listener.is_connected()
