"""The parent of the workers that `bin/serve --workers N` starts. It restarts and replaces them, and serves nothing.

The parent holds the listening socket, so connections wait while no worker accepts them. It keeps running for months and
across upgrades of chatapp: each worker is a new program, while this one stays as it is until it is stopped. Therefore
it imports only small modules of the standard library, which takes 13 MB. docs/decisions has the comparison with
process managers.

A worker has a channel to the parent, by which each detects the end of the other.
"""

import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from chatapp.serving.backoff import Backoff
from chatapp.serving.pid_file import ParentState, PidFile
from chatapp.serving.plain_log import write_line, write_log

START_SECONDS = 1_800.0
"""Time after which a worker that is not ready is ended. Migrations and an outage of the database are waited for."""

STOP_SECONDS = 20.0
"""Time that the workers have to end when the parent stops."""

RETIRE_SECONDS = 120.0
"""Time that a replaced worker has to end. During an outage it first waits until it has stored the spooled messages."""

NO_LOAD = -1
"""Load of a worker that accepts no connections."""

SLOT_BYTES = 8

RETIRE = b"retire\n"
"""Notifies a worker that it has been replaced."""

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, slots=True)
class Options:
    """What the parent is started with."""

    workers: int
    listener: int
    """Descriptor of the listening socket."""
    data_dir: Path
    address: str
    upgrade: bool = False
    command: Sequence[str] = (sys.executable, str(ROOT / "wsgi.py"))


@dataclass(eq=False, slots=True)
class Worker:
    """A process."""

    number: int
    slot: int
    """Index of its load in the shared file."""
    process: "subprocess.Popen[bytes]"
    channel: socket.socket
    started_at: float
    deadline: float
    """When it is killed, if it is not ready by then, or if it has been asked to end."""
    is_ready: bool = False
    is_leaving: bool = False
    """Whether it has been asked to end."""


@dataclass(eq=False, slots=True)
class Seat:
    """One of the numbers 0…N-1, and the process that has it."""

    number: int
    worker: Worker | None = None
    replacement: Worker | None = None
    """The process that takes its place when it is ready."""
    restart_at: float | None = None
    backoff: Backoff = field(default_factory=Backoff)

    @property
    def is_starting(self) -> bool:
        """Whether it has a worker that is not ready yet."""
        return self.worker is not None and not self.worker.is_ready


def choose_slot(number: int, count: int, used: set[int]) -> int:
    """Return the slot of a new worker. A worker and its replacement have different ones."""
    return number + count if number in used else number


class Parent:
    """Starts the workers, and keeps them running until a signal stops it."""

    def __init__(self, options: Options, pid_file: PidFile) -> None:
        self._options = options
        self._pid_file = pid_file
        self._state = ParentState(os.getpid())
        self._seats = [Seat(number) for number in range(options.workers)]
        self._workers: set[Worker] = set()
        self._selector = selectors.DefaultSelector()
        self._reader, self.waker = socket.socketpair()
        self.waker.setblocking(False)
        self._selector.register(self._reader, selectors.EVENT_READ)
        self._loads = _create_loads(options)
        self._setup_path = ""
        self._has_started = False
        """Whether the first worker has been ready."""
        self._is_announced = False
        self._is_stopping = False
        self._exit_code: int | None = None
        self._to_replace: deque[Seat] = deque()
        self._rolling: Seat | None = None
        """The number whose worker is being replaced."""
        self._is_reload_requested = False

    def run(self) -> int:
        """Run until all workers have ended after SIGTERM or SIGINT. Return the exit code."""
        self._start(self._seats[0], is_first=True)
        while self._exit_code is None or self._workers:
            for key, _ in self._selector.select(self._seconds_until_timer()):
                if key.data is None:
                    for number in self._reader.recv(64):
                        self._handle_signal(number)
                else:
                    self._receive(key.data)
            self._run_timers()
        self._selector.close()
        self._reader.close()
        self.waker.close()
        os.close(self._loads)
        return self._exit_code

    def _handle_signal(self, number: int) -> None:
        if number == signal.SIGHUP:
            self._is_reload_requested = True
            self._begin_reload()
        elif self._is_stopping:
            write_log("warning", "second signal: ending the workers at once")
            self._exit_code = 1
            for worker in self._workers:
                worker.process.kill()
        else:
            self._stop(0)

    def _stop(self, exit_code: int) -> None:
        if self._workers:
            write_log("info", "stopping the workers")
        self._is_stopping = True
        self._exit_code = exit_code
        os.close(self._options.listener)
        for seat in self._seats:
            seat.restart_at = None
        for worker in self._workers:
            worker.is_leaving = True
            worker.deadline = time.monotonic() + STOP_SECONDS
            worker.process.terminate()

    # Starting.

    def _start(self, seat: Seat, *, is_first: bool = False, upgrade: bool = False) -> None:
        seat.restart_at = None
        worker = self._spawn(seat.number, is_first=is_first, upgrade=upgrade or is_first)
        if worker is None:
            if seat.worker is None:
                seat.restart_at = time.monotonic() + seat.backoff.next_pause(0.0)
        elif seat is self._rolling:
            seat.replacement = worker
        else:
            seat.worker = worker

    def _spawn(self, number: int, *, is_first: bool, upgrade: bool) -> Worker | None:
        count = self._options.workers
        slot = choose_slot(number, count, {worker.slot for worker in self._workers})
        channel, other_end = socket.socketpair()
        descriptors = [self._options.listener, other_end.fileno(), self._loads]
        with other_end:
            try:
                process = subprocess.Popen(  # noqa: S603 - our own program
                    [
                        *self._options.command,
                        "--link",
                        ",".join(map(str, [*descriptors, slot])),
                        *(["--first"] if is_first else []),
                        *(["--upgrade"] if upgrade and self._options.upgrade else []),
                    ],
                    cwd=ROOT,
                    env=os.environ | {"CHATAPP_WORKERS": str(count), "CHATAPP_WORKER": str(number)},
                    stdin=subprocess.DEVNULL,
                    pass_fds=descriptors,
                    process_group=0,  # Ctrl-C is for the parent, which stops the workers.
                )
            except OSError as error:
                write_log("error", "worker cannot be started", worker=number, reason=error.strerror)
                channel.close()
                return None
        now = time.monotonic()
        worker = Worker(number, slot, process, channel, now, now + START_SECONDS)
        self._workers.add(worker)
        self._selector.register(channel, selectors.EVENT_READ, worker)
        write_log("info", "worker started", worker=number, process=process.pid)
        return worker

    def _receive(self, worker: Worker) -> None:
        """Receive that a worker is ready, with the path of the setup link, or that it has ended."""
        try:
            message = worker.channel.recv(4_096)
        except ConnectionError:
            message = b""
        if not message:
            self._on_end(worker)
            return
        worker.is_ready = True
        self._setup_path = message.decode().strip().removeprefix("ready").strip()
        write_log("info", "worker is ready", worker=worker.number, process=worker.process.pid)
        if self._is_stopping:
            return
        seat = self._seats[worker.number]
        if worker is seat.replacement:
            self._replace(seat, worker)
        if not self._has_started:
            self._has_started = True
            for other in self._seats[1:]:
                self._start(other)
        self._announce()
        self._begin_reload()

    def _announce(self) -> None:
        """Print the address once all workers are ready."""
        if self._is_announced or not all(seat.worker and seat.worker.is_ready for seat in self._seats):
            return
        self._is_announced = True
        write_line(sys.stdout, f"chatapp is ready on {self._options.address}")
        if self._setup_path:
            write_line(sys.stdout, f"Create the owner's account: {self._options.address}{self._setup_path}")

    # Ends.

    def _on_end(self, worker: Worker) -> None:
        self._selector.unregister(worker.channel)
        worker.channel.close()
        self._workers.discard(worker)
        code = worker.process.wait()
        os.pwrite(self._loads, _encode_load(NO_LOAD), worker.slot * SLOT_BYTES)
        ran_seconds = time.monotonic() - worker.started_at
        status = {"signal": signal.Signals(-code).name} if code < 0 else {"status": code}
        seat = self._seats[worker.number]
        if worker.is_leaving:
            write_log("info", "worker stopped", worker=worker.number, process=worker.process.pid)
            if seat is self._rolling and not self._is_stopping:
                self._roll_next()
            return
        if not self._has_started:
            write_log("error", "chatapp cannot start: see the line above", **status)
            self._stop(1)
            return
        if worker is seat.replacement:
            seat.replacement = None
            self._end_reload(f"the new worker {worker.number} has ended before it was ready", **status)
        else:
            seat.worker = None
        if seat.worker is None and seat.replacement is None:
            pause = seat.backoff.next_pause(ran_seconds)
            seat.restart_at = time.monotonic() + pause
            write_log(
                "warning",
                "worker ended unexpectedly",
                worker=worker.number,
                process=worker.process.pid,
                **status,
                restart_seconds=pause,
            )
            self._begin_reload()

    # Replacing all workers, one after the other.

    def _begin_reload(self) -> None:
        is_busy = self._is_stopping or self._rolling or not self._has_started
        if not self._is_reload_requested or is_busy or any(seat.is_starting for seat in self._seats):
            return
        self._is_reload_requested = False
        self._to_replace.extend(self._seats)
        write_log("info", "replacing the workers", workers=len(self._seats))
        self._roll_next(upgrade=True)

    def _roll_next(self, *, upgrade: bool = False) -> None:
        if not self._to_replace:
            self._end_reload()
            return
        seat = self._rolling = self._to_replace.popleft()
        self._start(seat, upgrade=upgrade)
        if seat.replacement is None:
            self._end_reload(f"the new worker {seat.number} cannot be started")

    def _replace(self, seat: Seat, worker: Worker) -> None:
        replaced, seat.worker, seat.replacement = seat.worker, worker, None
        if replaced is None:
            self._roll_next()
            return
        replaced.is_leaving = True
        replaced.deadline = time.monotonic() + RETIRE_SECONDS
        with suppress(OSError):  # It may be ending at this moment.
            replaced.channel.send(RETIRE)

    def _end_reload(self, problem: str = "", **status: object) -> None:
        self._rolling = None
        self._to_replace.clear()
        self._state = ParentState(os.getpid(), self._state.reloads + 1, has_failed=bool(problem))
        if not self._is_reload_requested:
            self._pid_file.write(self._state)
        if problem:
            write_log("error", "not all workers replaced: the others continue as before", reason=problem, **status)
        else:
            write_log("info", "workers replaced", workers=len(self._seats))
        if self._is_reload_requested:
            self._begin_reload()

    # Timers.

    def _seconds_until_timer(self) -> float | None:
        times = [seat.restart_at for seat in self._seats if seat.restart_at is not None]
        times += [worker.deadline for worker in self._workers if worker.is_leaving or not worker.is_ready]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _run_timers(self) -> None:
        now = time.monotonic()
        for seat in self._seats:
            if seat.restart_at is not None and seat.restart_at <= now:
                self._start(seat)
        for worker in self._workers:
            if worker.deadline <= now and (worker.is_leaving or not worker.is_ready):
                worker.deadline = now + STOP_SECONDS
                write_log("error", "worker killed: it took too long", worker=worker.number, process=worker.process.pid)
                worker.process.kill()
                if self._is_stopping:
                    self._exit_code = 1


def _create_loads(options: Options) -> int:
    """Create the file that the workers share, with the load of each. It has no name when this returns."""
    path = options.data_dir / "workers.load"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    path.unlink()
    os.pwrite(descriptor, _encode_load(NO_LOAD) * (2 * options.workers), 0)
    return descriptor


def _encode_load(load: int) -> bytes:
    return load.to_bytes(SLOT_BYTES, sys.byteorder, signed=True)


def main(arguments: Sequence[str]) -> int:
    """Run the parent. `chatapp.serving.start` passes the arguments, and the listening socket."""
    workers, listener, data_dir, address, *flags = arguments
    options = Options(int(workers), int(listener), Path(data_dir), address, upgrade="--upgrade" in flags)
    os.set_inheritable(options.listener, False)
    pid_file = PidFile.claim(options.data_dir)
    if pid_file is None:
        sys.exit(f"chatapp does not start: bin/serve --workers runs with the data folder {options.data_dir} already.")
    parent = Parent(options, pid_file)
    signal.set_wakeup_fd(parent.waker.fileno())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: None)
    return parent.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
