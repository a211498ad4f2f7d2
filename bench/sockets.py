"""Socket.IO client for load tests: asyncio, WebSocket only, with the part of the protocol that a benchmark needs.

The official clients would be slower than the server in most benchmarks.
"""

import asyncio
import base64
import json
import os
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

Listener = Callable[[str, Any], None]


def upgrade_request(url: str, cookie: str) -> bytes:
    """Return the request that opens a WebSocket. Its key has the 16 bytes that RFC 6455 requires."""
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n"
        f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        f"Origin: {url}\r\nCookie: {cookie}\r\n\r\n"
    ).encode()


class LoadSocket:
    """One connection. `listener` is called with the name and the payload of every event that contains `text`.

    The others are not decoded: many people have a computer each, the load has one core for all of them.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener: Listener | None, text: str = ""
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._listener = listener
        self._text = text
        self._acknowledgements: dict[int, asyncio.Future[Any]] = {}
        self._last_id = 0
        self._reading: asyncio.Task[None] | None = None
        self.is_closed = asyncio.Event()

    @classmethod
    async def connect(
        cls,
        url: str,
        cookie: str,
        listener: Listener | None = None,
        tls: ssl.SSLContext | None = None,
        text: str = "",
    ) -> "LoadSocket":
        """Open a connection with the cookie of a login session and wait until it is connected."""
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=2**22, ssl=tls)
        writer.write(upgrade_request(url, cookie))
        socket = cls(reader, writer, listener, text)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 101 " not in head.split(b"\r\n", 1)[0]:
                raise ConnectionError(head.decode(errors="replace"))
            await socket._receive()  # Engine.IO's opening
            socket._send("40")
            # Servers of older commits send events before the CONNECT packet.
            while (packet := await socket._receive()).startswith("42"):
                pass
            if not packet.startswith("40"):
                raise ConnectionError(packet)
        except BaseException:
            writer.close()
            raise
        socket._reading = asyncio.create_task(socket._read())
        return socket

    @property
    def port(self) -> int:
        """The port of this end of the connection."""
        port: int = self._writer.get_extra_info("sockname")[1]
        return port

    async def call(self, event: str, payload: object) -> Any:
        """Emit an event and return its acknowledgement. Raises `ConnectionError` if the connection closes."""
        if self.is_closed.is_set():
            raise ConnectionError("closed")
        self._last_id += 1
        future = asyncio.get_running_loop().create_future()
        self._acknowledgements[self._last_id] = future
        self._send(f"42{self._last_id}" + json.dumps([event, payload]))
        return await future

    def close(self) -> None:
        """Drop the connection."""
        if self._reading is not None:
            self._reading.cancel()
        self._writer.close()

    def _send(self, text: str) -> None:
        data = text.encode()
        # The mask is zero, which the server has to apply all the same.
        if len(data) < 126:
            head = bytes((0x81, 0x80 | len(data)))
        elif len(data) < 2**16:
            head = bytes((0x81, 0x80 | 126)) + len(data).to_bytes(2, "big")
        else:
            head = bytes((0x81, 0x80 | 127)) + len(data).to_bytes(8, "big")
        self._writer.write(head + bytes(4) + data)

    async def _receive(self) -> str:
        start = await self._reader.readexactly(2)
        length = start[1] & 0x7F
        if length >= 126:
            length = int.from_bytes(await self._reader.readexactly(2 if length == 126 else 8), "big")
        return (await self._reader.readexactly(length)).decode()

    async def _read(self) -> None:
        try:
            while True:
                packet = await self._receive()
                if packet == "2":
                    self._send("3")
                elif packet.startswith("43"):
                    number, _, rest = packet[2:].partition("[")
                    self._acknowledgements.pop(int(number)).set_result(json.loads("[" + rest)[0])
                elif packet.startswith("42") and self._listener is not None and self._text in packet:
                    event, *payload = json.loads(packet[2:])
                    self._listener(event, payload[0] if payload else None)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.is_closed.set()
            for future in self._acknowledgements.values():
                if not future.done():
                    future.set_exception(ConnectionError("closed before the acknowledgement"))
