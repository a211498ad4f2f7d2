"""Cheap listeners: one process reads the sockets of hundreds of users, and checks the order of messages.

`python -m bench.listeners` reads the arguments of a `Crowd` as a line of JSON and prints how many seconds connecting
has taken. The next line is the number of messages that each listener has to receive; the result is a `Report`. asyncio
would be slower than the server.
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
from bench.sockets import upgrade_request

MAX_CONNECTING = 40
"""Connections that are opened at the same time."""
SILENCE_SECONDS = 20.0
"""Time without a message after which the missing ones count as lost."""
SETTLING_SECONDS = 0.5
"""Time in which a duplicate of the last message would arrive."""

MESSAGE = b'42["chat_message",{"conversation":'
SEQ = b'"seq":'


@dataclass(frozen=True, slots=True)
class Report:
    """Number of messages that all listeners received, time of the last one (monotonic), and problems."""

    received: int
    last: float
    problems: list[str]

    @property
    def heard(self) -> int:
        """`received`, under the name that comparisons outside of this repository use."""
        return self.received


class Listener:
    """One connection. It joins the conversation, if one is given, and expects its messages from number 1 on."""

    def __init__(self, url: str, cookie: str, conversation: str | None) -> None:
        parts = urlsplit(url)
        self.received = 0
        self.is_connected = False
        self.problem = ""
        self._conversation = conversation
        self._is_upgraded = False
        self._rest = b""
        self.socket = socket.create_connection((parts.hostname, parts.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(upgrade_request(url, cookie))
        self.socket.setblocking(False)

    def read(self, buffer: bytearray) -> bool:
        """Read from the socket into a buffer that all listeners share. Return whether the connection is open."""
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
        end = self._parse(buffer, kept + size)
        self._rest = bytes(buffer[end : kept + size])
        return True

    def _parse(self, data: bytearray, size: int) -> int:
        """Process all complete frames; return the position of the rest."""
        position = 0
        if not self._is_upgraded:
            position = data.find(b"\r\n\r\n", 0, size) + 4
            if position < 4:
                return 0
            if data.find(b" 101 ", 0, position) < 0:
                raise ConnectionError(data[:position].decode(errors="replace"))
            self._is_upgraded = True
        while position + 2 <= size:
            length, start = data[position + 1], position + 2
            if length >= 126:
                start = position + 4 if length == 126 else position + 10
                length = int.from_bytes(data[position + 2 : start], "big")
            end = start + length
            if end > size:
                break
            if data.startswith(MESSAGE, start):
                seq = data.find(SEQ, start, end) + len(SEQ)
                if data.startswith(b"%d," % (self.received + 1), seq):
                    self.received += 1
                elif not self.problem:
                    self.problem = f"received {data[seq : seq + 8].decode()}… after {self.received}"
            else:
                self._respond(bytes(data[start : min(end, start + 3)]))
            position = end
        return position

    def _respond(self, packet: bytes) -> None:
        if packet == b"2":
            self._send("3")
        elif packet.startswith(b"0"):
            self._send("40")
        elif packet.startswith(b"40") and self._conversation:
            self._send("420" + json.dumps(["join_chat", {"conversation": self._conversation}]))
        elif packet.startswith(b"44"):
            self.problem = "the server refuses this cookie"
        elif packet == b"430" or packet.startswith(b"40"):
            self.is_connected = True

    def _send(self, text: str) -> None:
        data = text.encode()
        self.socket.send(bytes((0x81, 0x80 | len(data))) + bytes(4) + data)


class Crowd:
    """All listeners of the process."""

    def __init__(self, url: str, cookies: Sequence[str], conversation: str | None) -> None:
        self._url = url
        self._conversation = conversation
        self._waiting = list(reversed(cookies))
        self._listeners: dict[int, Listener] = {}
        self._poll = select.epoll()
        self._buffer = bytearray(2**21)
        self._last = 0.0

    def connect(self) -> None:
        """Connect all listeners, some dozens at a time."""
        connecting: list[Listener] = []
        while self._waiting or connecting:
            while self._waiting and len(connecting) < MAX_CONNECTING:
                connecting.append(listener := Listener(self._url, self._waiting.pop(), self._conversation))
                self._listeners[listener.socket.fileno()] = listener
                self._poll.register(listener.socket, select.EPOLLIN)
            self._listen()
            connecting = [listener for listener in connecting if not listener.is_connected]
            if problems := self._problems():
                raise ConnectionError(problems[0])

    def listen_for(self, expected: Callable[[], int | None]) -> Report:
        """Listen until every listener has received the expected number of messages, or none has arrived for a while.

        `expected` returns None as long as the number is not known.
        """
        self._last = time.monotonic()
        while (count := expected()) is None:
            self._listen()
        while time.monotonic() - self._last < SILENCE_SECONDS and not all(
            listener.received >= count for listener in self._listeners.values()
        ):
            self._listen()
        last, end = self._last, time.monotonic() + SETTLING_SECONDS
        while time.monotonic() < end:
            self._listen()
        received = [listener.received for listener in self._listeners.values()]
        missing = [f"{count} were sent, and {number} received" for number in received if number != count]
        return Report(sum(received), last, [*self._problems(), *missing])

    def _listen(self) -> None:
        for number, _ in self._poll.poll(0.05, 64):
            listener = self._listeners[number]
            received = listener.received
            if not listener.read(self._buffer):
                self._poll.unregister(number)
            if listener.received != received:
                self._last = time.monotonic()

    def _problems(self) -> list[str]:
        return [listener.problem for listener in self._listeners.values() if listener.problem]


class Listening:
    """A crowd in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        """Wait until all listeners are connected."""
        self._process = process
        self.seconds = float(self._next_line())
        """Time that connecting has taken."""

    def finish(self, count: int) -> Report:
        """Send the process how many messages there were, and return its report."""
        assert self._process.stdin is not None
        print(count, file=self._process.stdin, flush=True)
        return Report(**json.loads(self._next_line()))

    def _next_line(self) -> str:
        assert self._process.stdout is not None
        if not (line := self._process.stdout.readline()):
            raise RuntimeError("the process of the listeners has ended")
        return line


@contextmanager
def listening(url: str, cookies: Sequence[str], conversation: str | None) -> Iterator[Listening]:
    """Connect listeners, on the core of the load, while the block runs."""
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
    """Run a crowd."""
    os.sched_setaffinity(0, {LOAD_CORE})
    fields: dict[str, Any] = json.loads(sys.stdin.readline())
    crowd = Crowd(**fields)
    start = time.monotonic()
    crowd.connect()
    print(time.monotonic() - start, flush=True)
    stdin = select.poll()
    stdin.register(sys.stdin, select.POLLIN)
    report = crowd.listen_for(lambda: int(sys.stdin.readline()) if stdin.poll(0) else None)
    print(json.dumps(asdict(report)), flush=True)


if __name__ == "__main__":
    main()
