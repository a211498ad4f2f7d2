"""A faulty network: a TCP proxy that can delay, withhold and cut connections."""

import contextlib
import socket
import threading
import time
from urllib.parse import urlsplit

from tests.harness.waiting import scaled


class Proxy:
    """A TCP proxy in front of a server. Clients connect to its `url`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = ("127.0.0.1", parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = parts._replace(netloc=f"{parts.username}@{address}" if parts.username else address).geturl()
        self.delay = 0.0
        """Seconds by which each piece of data is delayed."""
        self.lose_response_to: bytes | None = None
        """What a client sends once before the server's next response to it is lost, and the connection with it."""
        self._is_held = {"upstream": False, "downstream": False}
        self._is_refusing = False
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut(self) -> None:
        """Close all open connections."""
        while self._open:
            with contextlib.suppress(OSError):
                self._open.pop().shutdown(socket.SHUT_RDWR)

    def refuse(self) -> None:
        """Close all connections, and new ones at once, as if the server were away."""
        self._is_refusing = True
        self.cut()

    def hold(self) -> None:
        """Forward nothing in either direction, and keep the connections open: neither side notices."""
        self._is_held = {"upstream": True, "downstream": True}

    def hold_downstream(self) -> None:
        """Forward what clients send, and withhold what the server sends: acknowledgements never arrive."""
        self._is_held = {"upstream": False, "downstream": True}

    def release(self) -> None:
        """Forward again. Connections that were held are closed, and what they held is lost."""
        self.cut()
        self._is_refusing = False
        self._is_held = {"upstream": False, "downstream": False}

    def close(self) -> None:
        """Stop listening and close all connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.release()
        for thread in self._threads:
            thread.join(scaled(5))

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._is_refusing:
                client.close()
                continue
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            self._open += [client, server]
            is_lost = threading.Event()
            for source, target, direction in ((client, server, "upstream"), (server, client, "downstream")):
                thread = threading.Thread(target=self._forward, args=(source, target, direction, is_lost), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _forward(self, source: socket.socket, target: socket.socket, direction: str, is_lost: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if direction == "upstream" and self.lose_response_to and self.lose_response_to in data:
                    self.lose_response_to = None
                    is_lost.set()
                elif direction == "downstream" and is_lost.is_set():
                    break
                time.sleep(self.delay)
                while self._is_held[direction]:
                    time.sleep(0.05)
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        source.close()
