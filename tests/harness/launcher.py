"""Start servers and commands fast, by forking a process that has imported chatapp already.

Importing takes 1.3 s of processor time, everything else that a start does 0.1 s. Run as a program, this module is the
process that forks.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from importlib import import_module
from os import waitpid  # Bound before eventlet replaces it in `os`.

from tests.harness import ROOT, coverage
from tests.harness.waiting import scaled

READ_AT_IMPORT = {"CHATAPP_ASYNC_MODE", "CHATAPP_FAILPOINT", "LD_PRELOAD", "PYTHONPATH"}
"""Variables that take effect before `wsgi.py` runs: a server that is given one of them needs a process of its own."""


class ForkedProcess:
    """A process that the launcher has forked, with the interface of `subprocess.Popen`."""

    def __init__(self, status: socket.socket) -> None:
        self._status = status.makefile("r")
        self._socket = status
        self.pid = int(self._status.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        return self._read_exit_code(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the process to end, and return its exit code."""
        if (code := self._read_exit_code(timeout)) is None:
            raise subprocess.TimeoutExpired([str(self.pid)], timeout or 0)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def _read_exit_code(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._socket], [], [], timeout)[0]:
            self.returncode = int(self._status.readline())
            self._status.close()
            self._socket.close()
        return self.returncode


class Launcher:
    """A process that has imported chatapp: for servers with the green threads of eventlet, for commands without."""

    def __init__(self, *, green: bool) -> None:
        self._control, control = socket.socketpair()
        with control:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(control.fileno()), *(["green"] if green else [])],
                cwd=ROOT,
                env={**os.environ, "PYTHONWARNINGS": "ignore"},
                pass_fds=[control.fileno()],
            )

    def start(self, arguments: list[str], environment: dict[str, str], files: tuple[int, int, int]) -> ForkedProcess:
        """Run a Python program with these arguments. `files` are its standard input, output and error."""
        status, other_end = socket.socketpair()
        with other_end:
            socket.send_fds(self._control, [b"."], [other_end.fileno(), *files])
        status.sendall(json.dumps([arguments, environment]).encode() + b"\n")
        return ForkedProcess(status)

    def close(self) -> None:
        """End the launcher. Processes that it has started continue to run."""
        self._control.close()
        self._process.wait(scaled(30))


def main(control: socket.socket, *, green: bool) -> None:
    """Fork a process for each request, until the tests close their end."""
    import gc

    gc.disable()
    if green:
        os.environ["PSYCOPG_WAIT_FUNC"] = "wait_selector"
        import eventlet
        import sqlalchemy.orm  # noqa: F401  # Before the patch, as in `wsgi.py`.

        eventlet.monkey_patch()
    import chatapp.http_server.protocol
    import chatapp.serving.server  # Both import everything else, but for what the settings choose:
    import chatapp.socket_engine.server  # noqa: F401

    import_module(f"engineio.async_drivers.{'eventlet' if green else 'threading'}")

    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        _, descriptors, _, _ = socket.recv_fds(control, 1, 4)
        if not descriptors:
            return
        if os.fork() == 0:
            break
        for descriptor in descriptors:
            os.close(descriptor)
    # This process waits for the program, which it forks in turn, and reports how it ended.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    control.close()
    status, *files = descriptors
    arguments, environment = json.loads(_read_line(status))
    if pid := os.fork():
        for descriptor in files:
            os.close(descriptor)
        os.write(status, b"%d\n" % pid)
        os.write(status, b"%d\n" % os.waitstatus_to_exitcode(waitpid(pid, 0)[1]))
        os._exit(0)
    os.close(status)
    for number, descriptor in enumerate(files):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(environment)
    if green:
        eventlet.hubs.use_hub()  # A new event loop: the one inherited is shared with the other processes.
    else:
        gc.enable()
    coverage.run_program(arguments)


def _read_line(descriptor: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(descriptor, 65_536)
    return line


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), green=sys.argv[2:] == ["green"])
