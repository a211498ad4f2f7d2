"""Start servers and commands fast, by forking a process that has imported chatapp already.

Importing takes 1.3 s of processor time, everything else that a start does 0.1 s. Run as a program, this module is the
process that forks.
"""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from os import waitpid  # Bound before eventlet replaces it in `os`, and likewise two functions below.
from pathlib import Path
from select import select as wait_for_input
from socket import socket as new_native_socket

from tests.harness import ROOT, coverage

READ_AT_IMPORT = {"LD_PRELOAD", "PYTHONPATH"}
"""Variables that take effect before a program runs: a server that is given one of them needs a process of its own."""


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
        if self.returncode is None and wait_for_input([self._socket], [], [], timeout)[0]:
            self.returncode = int(self._status.readline())
            self._status.close()
            self._socket.close()
        return self.returncode


class Launcher:
    """A process that has imported chatapp: for servers with the green threads of eventlet, for all others without.

    It is shared by the workers of pytest-xdist, which find it in a common folder, and ends with the last of them.
    """

    def __init__(self, folder: Path, *, green: bool) -> None:
        address = folder / ("green" if green else "native")
        self._control = socket.socket(socket.AF_UNIX)
        with locked(address.with_suffix(".lock")):
            try:
                self._control.connect(str(address))
            except (FileNotFoundError, ConnectionRefusedError):
                self._start(address)
                self._control.connect(str(address))

    def _start(self, address: Path) -> None:
        address.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(address))
            listener.listen()
            subprocess.run(
                [sys.executable, "-m", __name__, str(listener.fileno()), str(address)],
                cwd=ROOT,
                env={**os.environ, "PYTHONWARNINGS": "ignore"},
                pass_fds=[listener.fileno()],
                check=True,
            )

    def start(self, arguments: list[str], environment: dict[str, str], files: tuple[int, int, int]) -> ForkedProcess:
        """Run a Python program with these arguments. `files` are its standard input, output and error."""
        status, other_end = socket.socketpair()
        with other_end:
            socket.send_fds(self._control, [b"."], [other_end.fileno(), *files])
        status.sendall(json.dumps([arguments, environment]).encode() + b"\n")
        return ForkedProcess(status)

    def close(self) -> None:
        """Leave the launcher. Processes that it has started continue to run."""
        self._control.close()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock, which ends with the process."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(listener: socket.socket, address: Path) -> None:
    """Fork a process for each request, until the last of the tests' processes has closed its end."""
    import gc

    gc.disable()
    if green := address.name == "green":
        from chatapp.concurrency.green_threads import use_green_threads

        use_green_threads()
    from flask import Flask
    from jinja2 import FileSystemBytecodeCache
    from sqlalchemy.orm import configure_mappers

    for name in (
        "chatapp.application",
        "chatapp.serving.server",
        # What is imported where it is used:
        "chatapp.cli",
        "chatapp.http_server.listener",
        "chatapp.http_server.protocol",
        "chatapp.realtime.relay",
        "chatapp.socket_engine.manager",
        "chatapp.socket_engine.server",
        f"engineio.async_drivers.{'eventlet' if green else 'threading'}",
        "flask_migrate.cli",
    ):
        import_module(name)
    configure_mappers()
    # All processes have the same templates: each of them is compiled once.
    templates = address.with_suffix(".templates")
    templates.mkdir(exist_ok=True)
    Flask.jinja_options = {"bytecode_cache": FileSystemBytecodeCache(str(templates))}

    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    controls: list[socket.socket] = []
    while not (descriptors := _receive_request(listener, controls)) or os.fork() != 0:
        for descriptor in descriptors:
            os.close(descriptor)
    # This process waits for the program, which it forks in turn, and reports how it ended.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for connection in (listener, *controls):
        connection.close()
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
        from eventlet import hubs

        hubs.use_hub()  # A new event loop: the one inherited is shared with the other processes.
    else:
        gc.enable()
    coverage.run_program(arguments)


def _receive_request(listener: socket.socket, controls: list[socket.socket]) -> list[int]:
    """Return the files of the next request, if there is one, and keep the list of connections current."""
    for ready in wait_for_input([listener, *controls], [], [])[0]:
        if ready is listener:
            controls.append(new_native_socket(fileno=listener._accept()[0]))  # type: ignore[attr-defined]
        elif descriptors := socket.recv_fds(ready, 1, 4)[1]:
            return descriptors
        else:
            controls.remove(ready)
            ready.close()
            if not controls:
                os._exit(0)  # There is no coverage to save: the processes that it started have the same lines.
    return []


def _read_line(descriptor: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(descriptor, 65_536)
    return line


if __name__ == "__main__":
    if os.fork() == 0:  # The first process ends: none of the tests' processes can wait for the end of the last one.
        main(socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2]))
