"""Start servers fast, by forking a process that has imported chatapp already.

Importing takes 1.3 s of processor time, everything else that a start does 0.1 s. Run as a program, with the file
descriptor of a Unix socket as its argument, this module is the process that forks.
"""

import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from os import waitpid  # Bound before eventlet replaces it in `os`.

from tests.harness import ROOT

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
            raise subprocess.TimeoutExpired(["wsgi.py"], timeout or 0)
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
    """The process that has imported chatapp, seen from the tests."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            environment = {**os.environ, "PYTHONWARNINGS": "ignore", "PSYCOPG_WAIT_FUNC": "wait_selector"}
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                cwd=ROOT,
                env=environment,
                pass_fds=[theirs.fileno()],
            )

    def start(self, environment: dict[str, str], log: int) -> ForkedProcess:
        """Start a server that writes its output to the file descriptor `log`."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"."], [theirs.fileno(), log])
        ours.sendall(json.dumps(environment).encode() + b"\n")
        return ForkedProcess(ours)

    def close(self) -> None:
        """End the launcher; servers that it has started go on."""
        self._control.close()
        self._process.wait()


def main(control: socket.socket) -> None:
    """Fork a server for each request, until the tests close their end; in the server's process, run it."""
    import gc

    gc.disable()
    import eventlet

    eventlet.monkey_patch()
    import chatapp.serving  # noqa: F401  # It imports everything else.

    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        _, descriptors, _, _ = socket.recv_fds(control, 1, 2)
        if not descriptors:
            return
        if os.fork() == 0:
            break
        for descriptor in descriptors:
            os.close(descriptor)
    # A second fork, so that this one waits for the server and reports how it ended.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    control.close()
    status, log = descriptors
    environment = _read_line(status)
    if pid := os.fork():
        os.close(log)
        os.write(status, b"%d\n" % pid)
        os.write(status, b"%d\n" % os.waitstatus_to_exitcode(waitpid(pid, 0)[1]))
        os._exit(0)
    os.close(status)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.environ.clear()
    os.environ.update(json.loads(environment))
    eventlet.hubs.use_hub()  # A new event loop: the one inherited is shared with the other processes.
    sys.argv = ["wsgi.py"]
    runpy.run_path("wsgi.py", run_name="__main__")


def _read_line(descriptor: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(descriptor, 65_536)
    return line


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
