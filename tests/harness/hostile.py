"""Hostile clients: connections that send whatever bytes they are told to, and say when the server has ended them."""

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

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
"""WebSocket's opcodes."""

HOME = "127.0.0.1"
AWAY = "127.0.0.2"
"""Where hostile clients come from: limits of an address do not meet the well-behaved."""


def frame(
    data: bytes | str,
    *,
    opcode: int = TEXT,
    fin: bool = True,
    reserved: int = 0,
    mask: bytes | None = b"\x37\xfa\x21\x3d",
    claimed: int | None = None,
) -> bytes:
    """Make a WebSocket frame. `claimed` is the length that its header tells, where it is not the true one."""
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


class NotAdmitted(ConnectionError):
    """The server has answered the handshake with something else than a WebSocket."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.headers = headers


class RawSocket:
    """A WebSocket connection to Engine.IO, of a signed-in person with a cookie and of nobody without.

    What is sent to a connection that has ended is lost in silence: that it has ended is for `receive` to say. Raises
    `NotAdmitted` when the server does not upgrade the connection.
    """

    def __init__(
        self,
        url: str,
        cookie: str = "",
        *,
        address: str = AWAY,
        patience: float = 20,
        buffer: int | None = None,
        sid: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._last_id = 0
        self._rest = b""
        self._answers: dict[int, bytes] = {}
        """Acknowledgements that nobody has asked for yet: a refusal comes before what is being stored."""
        self._socket = socket.socket()
        try:
            self._socket.settimeout(patience)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if buffer is not None:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            self._socket.bind((address, 0))
            self._socket.connect((parts.hostname, parts.port))
            told = {"Host": parts.netloc, "Origin": url, "Cookie": cookie} | dict(headers or {})
            self.headers = self._upgrade(told, f"&sid={sid}" if sid else "")
            """What the server has answered to the handshake."""
        except BaseException:
            self._socket.close()
            raise

    @classmethod
    def enter(cls, url: str, cookie: str, **options: Any) -> "RawSocket":
        """Open a connection and wait until Socket.IO has let it in."""
        connection = cls(url, cookie, **options)
        connection.say("40")
        while not (packet := connection.receive()).startswith(b"40"):
            if packet.startswith(b"44"):
                connection.close()
                raise ConnectionError(packet.decode(errors="replace"))
        return connection

    def _upgrade(self, headers: Mapping[str, str], query: str) -> Mapping[str, str]:
        key = base64.b64encode(os.urandom(16)).decode()
        told = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
        }
        lines = [f"{name}: {value}" for name, value in (told | dict(headers)).items()]
        start = f"GET /socket.io/?EIO=4&transport=websocket{query} HTTP/1.1"
        self.send("\r\n".join([start, *lines, "", ""]).encode())
        while b"\r\n\r\n" not in self._rest:
            self._fill()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        first, *lines = head.decode(errors="replace").split("\r\n")
        answer = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        if (status := int(first.split()[1])) != 101:
            raise NotAdmitted(status, answer)
        return answer

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        try:
            self._socket.sendall(data)
        except TimeoutError:
            raise
        except OSError:
            pass

    def say(self, *packets: str | bytes) -> None:
        """Send packets, each in a frame of its own."""
        self.send(b"".join(frame(packet) for packet in packets))

    def receive(self) -> bytes:
        """Give the next packet; pings are answered. Raises `ConnectionError` when the connection has ended."""
        while True:
            opcode, data = self._receive_frame()
            if data == b"2":
                self.say("3")
            elif opcode in {TEXT, BINARY}:
                return data

    def ask(self, event: str, *payload: Any) -> Any:
        """Emit an event and give its acknowledgement."""
        self._last_id += 1
        self.say(f"42{self._last_id}" + json.dumps([event, *payload]))
        return self.answer(self._last_id)

    def answer(self, number: int) -> Any:
        """Wait for the acknowledgement with a number. Raises `TimeoutError` when only others are heard for too long."""
        end = time.monotonic() + (self._socket.gettimeout() or 0)
        while number not in self._answers:
            if answer := re.match(rb"43(\d+)(\[.*)", self.receive(), re.DOTALL):
                self._answers[int(answer[1])] = answer[2]
            if time.monotonic() > end:
                raise TimeoutError
        return json.loads(self._answers.pop(number))[0]

    def patience(self, seconds: float) -> None:
        """Wait for so long, from now on, before a `TimeoutError` is raised."""
        self._socket.settimeout(seconds)

    def ends_within(self, seconds: float) -> bool:
        """Tell whether the server ends the connection; what it still says is read and forgotten."""
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
        """Go away without a word."""
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
            raise ConnectionError("the server has ended the connection")
        self._rest += data


class Polling:
    """Engine.IO by long polling: an HTTP request for what is said, and one for what is heard."""

    def __init__(self, url: str, cookie: str = "", *, address: str = AWAY) -> None:
        self._host = urlsplit(url).netloc
        self._headers = {"Cookie": cookie, "Origin": url}
        self._address = address
        self.sid = ""

    @classmethod
    def enter(cls, url: str, cookie: str, **options: Any) -> "Polling":
        """Open a connection and wait until Socket.IO has let it in."""
        connection = cls(url, cookie, **options)
        status, _, body = connection.listen()
        assert status == 200, (status, body)
        connection.sid = json.loads(body[1:])["sid"]
        assert connection.say("40")[0] == 200
        while b"40{" not in connection.listen()[2]:
            pass
        return connection

    def listen(self) -> tuple[int, Mapping[str, str], bytes]:
        """Ask for what is new: status, headers and body of the answer."""
        return self._request("GET")

    def say(self, body: str | bytes, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
        """Send a request with a body."""
        return self._request("POST", body.encode() if isinstance(body, str) else body, headers)

    def ask(self, event: str, payload: object) -> Any:
        """Emit an event and give its acknowledgement."""
        assert self.say("421" + json.dumps([event, payload]))[0] == 200
        while True:
            status, _, body = self.listen()
            if status != 200:
                raise ConnectionError(f"status {status}")
            for packet in body.split(b"\x1e"):
                if packet.startswith(b"431["):
                    return json.loads(packet[3:])[0]

    def is_over(self) -> bool:
        """Tell whether the server has ended the connection: it knows its id no longer."""
        return self.say("3")[0] != 200

    def _request(
        self, method: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        connection = http.client.HTTPConnection(self._host, timeout=20, source_address=(self._address, 0))
        path = "/socket.io/?EIO=4&transport=polling" + (f"&sid={self.sid}" if self.sid else "")
        try:
            connection.request(method, path, body, self._headers | dict(headers or {}))
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, told, answer.read()
        finally:
            connection.close()


class Bystanders:
    """Two people who go on chatting meanwhile. `check` fails if anything of it was lost, late, or said anew."""

    def __init__(self, speaker: Person, listener: Person, pause: float = 0.02) -> None:
        self._speaker = speaker.connect()
        self._listener = listener.connect()
        self._listener.join()
        self._speaker.join()
        self._pause = pause
        self._said: list[str] = []
        self._waits: list[float] = []
        self._stop = threading.Event()
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._chat, daemon=True)
        self._thread.start()

    def _chat(self) -> None:
        try:
            while not self._stop.wait(self._pause):
                content = f"bystander {uuid.uuid4()}"
                start = time.monotonic()
                answer = self._speaker.call("send_message", message_payload(content))
                self._waits.append(time.monotonic() - start)
                assert answer["ok"], answer
                self._said.append(content)
        except BaseException as error:
            self._problem = error

    def longest_wait(self) -> float:
        """Give the longest time that an acknowledgement took since the last time this was asked."""
        count = len(self._waits)
        while len(self._waits) < count + 2 and self._problem is None:
            time.sleep(0.005)
        waits, self._waits = self._waits, []
        return max(waits, default=0.0)

    def check(self) -> None:
        """Stop, and compare what was heard with what was said."""
        self._stop.set()
        self._thread.join()
        if self._problem is not None:
            raise self._problem
        assert self._said, "nobody said anything: this proves nothing"
        time.sleep(0.5)
        mine = set(self._said)
        assert [content for content in self._listener.contents() if content in mine] == self._said
        assert self._speaker.is_connected()
        assert self._listener.is_connected()
