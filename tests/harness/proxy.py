"""A bad network: a TCP proxy that can delay, hold, drop and cut what passes through it."""

import contextlib
import socket
import threading
import time
from urllib.parse import urlsplit

from tests.harness.servers import Server


class Proxy:
    """Stands between clients and a server, at `url`."""

    def __init__(self, server: Server) -> None:
        self._target = ("127.0.0.1", urlsplit(server.url).port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.delay = 0.0
        self._held = {"asked": False, "answered": False}
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut(self) -> None:
        """Close every connection that is open now."""
        while self._open:
            with contextlib.suppress(OSError):
                self._open.pop().shutdown(socket.SHUT_RDWR)

    def hold(self) -> None:
        """Let nothing through, while the connections stay open: each side believes that the other one is there."""
        self._held = {"asked": True, "answered": True}

    def mute(self) -> None:
        """Let through what clients say, but not what the server answers: nobody learns that it was heard."""
        self._held = {"asked": False, "answered": True}

    def release(self) -> None:
        """Let through again what comes; what was held is lost with its connection."""
        self.cut()
        self._held = {"asked": False, "answered": False}

    def close(self) -> None:
        """Leave nothing open."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.release()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            self._open += [client, server]
            for one, other, way in ((client, server, "asked"), (server, client, "answered")):
                thread = threading.Thread(target=self._pump, args=(one, other, way), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pump(self, source: socket.socket, target: socket.socket, way: str) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                time.sleep(self.delay)
                while self._held[way]:
                    time.sleep(0.05)
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        source.close()
