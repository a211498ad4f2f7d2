"""Listeners that cost next to nothing: one process reads the sockets of hundreds, and checks the order of messages.

`python -m bench.listeners` takes a `Crowd`'s fields as a line of JSON and says in how many seconds all have come. A
number on the next line is how many messages each has to hear; the answer to it is a `Report`. asyncio would be slower
than what is measured.
"""

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from bench.installation import LOAD_CORE

AT_ONCE = 40
"""Connections that are being made at a time."""
PATIENCE = 20.0
"""Seconds without anything new after which what is missing counts as lost."""
SETTLING = 0.5
"""Seconds in which a message that came too often would be heard."""

MESSAGE = b'42["chat_message",{"conversation":'
SEQ = b'"seq":'


@dataclass(frozen=True, slots=True)
class Report:
    """What all listeners heard together, when the last message came (monotonic), and what was wrong with it."""

    heard: int
    last: float
    problems: list[str]


class Listener:
    """One connection. It joins the conversation, if there is one, and expects its messages from number 1 on."""

    def __init__(self, url: str, cookie: str, conversation: str | None) -> None:
        parts = urlsplit(url)
        self.heard = 0
        self.is_in = False
        self.problem = ""
        self._conversation = conversation
        self._is_upgraded = False
        self._rest = b""
        self.socket = socket.create_connection((parts.hostname, parts.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: bm90IHJhbmRvbSBhdCBhbGw=\r\nSec-WebSocket-Version: 13\r\n"
            f"Origin: {url}\r\nCookie: {cookie}\r\n\r\n".encode()
        )
        self.socket.setblocking(False)

    def read(self, buffer: bytearray) -> bool:
        """Take in what has come, by way of a buffer that all share. Tells whether the connection stands."""
        kept = len(self._rest)
        buffer[:kept] = self._rest
        with memoryview(buffer) as view:
            try:
                size = self.socket.recv_into(view[kept:])
            except ConnectionError:
                size = 0
        if not size:
            self.problem = self.problem or "the connection was closed"
            return False
        at = self._hear(buffer, kept + size)
        self._rest = bytes(buffer[at : kept + size])
        return True

    def _hear(self, data: bytearray, size: int) -> int:
        """Hear all whole frames; give where the rest begins."""
        at = 0
        if not self._is_upgraded:
            at = data.find(b"\r\n\r\n", 0, size) + 4
            if at < 4:
                return 0
            if data.find(b" 101 ", 0, at) < 0:
                raise ConnectionError(data[:at].decode(errors="replace"))
            self._is_upgraded = True
        while at + 2 <= size:
            length, start = data[at + 1], at + 2
            if length >= 126:
                start = at + 4 if length == 126 else at + 10
                length = int.from_bytes(data[at + 2 : start], "big")
            end = start + length
            if end > size:
                break
            if data.startswith(MESSAGE, start):
                seq = data.find(SEQ, start, end) + len(SEQ)
                if data.startswith(b"%d," % (self.heard + 1), seq):
                    self.heard += 1
                elif not self.problem:
                    self.problem = f"heard {data[seq : seq + 8].decode()}… after {self.heard}"
            else:
                self._answer(bytes(data[start : min(end, start + 3)]))
            at = end
        return at

    def _answer(self, packet: bytes) -> None:
        if packet == b"2":
            self._send("3")
        elif packet.startswith(b"0"):
            self._send("40")
        elif packet.startswith(b"40") and self._conversation:
            self._send("420" + json.dumps(["join_chat", {"conversation": self._conversation}]))
        elif packet.startswith(b"44"):
            self.problem = "the server lets nobody in with this cookie"
        elif packet == b"430" or packet.startswith(b"40"):
            self.is_in = True

    def _send(self, text: str) -> None:
        data = text.encode()
        self.socket.send(bytes((0x81, 0x80 | len(data))) + bytes(4) + data)


class Crowd:
    """Everybody who listens."""

    def __init__(self, url: str, cookies: Sequence[str], conversation: str | None) -> None:
        self._url = url
        self._conversation = conversation
        self._waiting = list(reversed(cookies))
        self._listeners: dict[int, Listener] = {}
        self._poll = select.epoll()
        self._buffer = bytearray(2**21)
        self._last = 0.0

    def gather(self) -> None:
        """Connect everybody, some dozens at a time."""
        coming: list[Listener] = []
        while self._waiting or coming:
            while self._waiting and len(coming) < AT_ONCE:
                coming.append(listener := Listener(self._url, self._waiting.pop(), self._conversation))
                self._listeners[listener.socket.fileno()] = listener
                self._poll.register(listener.socket, select.EPOLLIN)
            self._listen()
            coming = [listener for listener in coming if not listener.is_in]
            if problems := self._problems():
                raise ConnectionError(problems[0])

    def listen_for(self, expected: Callable[[], int | None]) -> Report:
        """Listen; once it is known how many messages there are, until everybody has heard them or nothing comes."""
        self._last = time.monotonic()
        while (count := expected()) is None:
            self._listen()
        while time.monotonic() - self._last < PATIENCE and not all(
            listener.heard >= count for listener in self._listeners.values()
        ):
            self._listen()
        last, end = self._last, time.monotonic() + SETTLING
        while time.monotonic() < end:
            self._listen()
        heard = [listener.heard for listener in self._listeners.values()]
        missing = [f"{count} were said, and {each} heard" for each in heard if each != count]
        return Report(sum(heard), last, [*self._problems(), *missing])

    def _listen(self) -> None:
        for number, _ in self._poll.poll(0.05, 64):
            listener = self._listeners[number]
            heard = listener.heard
            if not listener.read(self._buffer):
                self._poll.unregister(number)
            if listener.heard != heard:
                self._last = time.monotonic()

    def _problems(self) -> list[str]:
        return [listener.problem for listener in self._listeners.values() if listener.problem]


class Listening:
    """A crowd in its own process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        """Wait until all are there."""
        self._process = process
        self.seconds = float(self._next_line())
        """What it took them to come."""

    def finish(self, count: int) -> Report:
        """Say how many messages there were, and give the crowd's report."""
        assert self._process.stdin is not None
        print(count, file=self._process.stdin, flush=True)
        return Report(**json.loads(self._next_line()))

    def _next_line(self) -> str:
        assert self._process.stdout is not None
        if not (line := self._process.stdout.readline()):
            raise RuntimeError("the listeners' process has ended")
        return line


@contextmanager
def listening(url: str, cookies: Sequence[str], conversation: str | None) -> Iterator[Listening]:
    """Let people listen, on the core of the load, while the block runs."""
    with subprocess.Popen(
        [sys.executable, "-m", "bench.listeners"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdin is not None
            fields = {"url": url, "cookies": list(cookies), "conversation": conversation}
            print(json.dumps(fields), file=process.stdin, flush=True)
            yield Listening(process)
        finally:
            process.kill()


def main() -> None:
    """Be the process."""
    os.sched_setaffinity(0, {LOAD_CORE})
    fields: dict[str, Any] = json.loads(sys.stdin.readline())
    crowd = Crowd(**fields)
    start = time.monotonic()
    crowd.gather()
    print(time.monotonic() - start, flush=True)
    told = select.poll()
    told.register(sys.stdin, select.POLLIN)
    report = crowd.listen_for(lambda: int(sys.stdin.readline()) if told.poll(0) else None)
    print(json.dumps(asdict(report)), flush=True)


if __name__ == "__main__":
    main()
