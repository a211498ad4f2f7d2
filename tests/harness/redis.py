"""A private Redis that can be stopped, killed and restarted."""

import shutil
import signal
import socket
import subprocess
from pathlib import Path

from tests.harness.ports import free_port
from tests.harness.waiting import eventually, scaled


class Redis:
    """A Redis server on a free port, which it keeps across restarts. It stores nothing on disk."""

    def __init__(self, folder: Path) -> None:
        binary = shutil.which("redis-server")
        assert binary, "redis-server is not installed: run bin/setup --dev"
        self._binary = binary
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start, and wait until it replies to a ping."""
        options = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen([self._binary, *options], cwd=self._folder, stdout=log, stderr=log)
        eventually(self.is_ready, "Redis is ready", timeout=15)

    @property
    def pid(self) -> int:
        """The id of the process."""
        assert self._process is not None
        return self._process.pid

    def is_ready(self) -> bool:
        """Return whether this process, and not another one on its port, replies to a ping."""
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"Redis ended:\n{(self._folder / 'redis.log').read_text()[-2000:]}")
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=scaled(2)) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process: SIGSTOP makes it hang."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the process with a signal, and wait for it: SIGTERM stops it, SIGKILL is a crash."""
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(timeout=scaled(15))

    def close(self) -> None:
        """End the process if it runs."""
        if self._process is not None and self._process.poll() is None:
            self.stop(signal.SIGKILL)
