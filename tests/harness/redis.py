"""A private Redis that can be stopped, killed and started again."""

import shutil
import signal
import socket
import subprocess
from pathlib import Path

from tests.harness.ports import eventually, free_port


class Redis:
    """A Redis server of the system's, on a free port that it keeps when it starts again. It stores nothing on disk."""

    def __init__(self, folder: Path) -> None:
        binary = shutil.which("redis-server")
        assert binary, "there is no redis-server: run bin/setup --dev"
        self._binary = binary
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen([self._binary, *options], cwd=self._folder, stdout=log, stderr=log)
        eventually(self.answers, "Redis answers", timeout=15)

    def answers(self) -> bool:
        """Whether our own process, and not another one on its port, answers a ping."""
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"Redis ended:\n{(self._folder / 'redis.log').read_text()[-2000:]}")
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=2) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def send_signal(self, which: signal.Signals) -> None:
        """Send a signal: SIGSTOP makes it hang."""
        assert self._process is not None
        self._process.send_signal(which)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop, or with SIGKILL end it as a power cut would."""
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(timeout=15)

    def close(self) -> None:
        """Leave nothing running."""
        if self._process is not None and self._process.poll() is None:
            self.stop(signal.SIGKILL)
