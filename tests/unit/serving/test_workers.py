"""What a start of several workers needs, the link of a worker to its parent, and `bin/serve reload`."""

import os
import signal
import socket
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from flask import Flask

from chatapp.assistants.worker import EXTENSION as ANSWER_WORKER
from chatapp.config import Settings
from chatapp.http_server.connections import HttpConnections, Refusal
from chatapp.serving import reload, server, start
from chatapp.serving.link import ParentLink
from chatapp.serving.options import parse_options
from chatapp.serving.pid_file import ParentState, PidFile
from chatapp.storage import EXTENSION as WRITER

POSTGRESQL, REDIS = "postgresql://127.0.0.1/chat", "redis://127.0.0.1/0"


@pytest.mark.parametrize(
    ("urls", "is_green", "obstacle"),
    [
        (("", REDIS), True, "they need PostgreSQL"),
        ((POSTGRESQL, ""), True, "they need Redis"),
        ((POSTGRESQL, REDIS), False, "CHATAPP_ASYNC_MODE=threading is for one process"),
        ((POSTGRESQL, REDIS), True, None),
    ],
)
def test_several_workers_need_postgresql_redis_and_eventlet(
    urls: tuple[str, str], is_green: bool, obstacle: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "is_green", lambda: is_green)
    found = start.find_obstacle(Settings(database_url=urls[0], redis_url=urls[1], workers=2))
    assert found is None if obstacle is None else obstacle in str(found)


def test_the_parent_gets_the_listening_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs: list[list[str]] = []
    monkeypatch.setattr(start, "find_obstacle", lambda _settings: None)
    monkeypatch.setattr(start, "init_logs", lambda _level: None)

    def execute(_path: str, program: list[str]) -> None:
        assert os.get_inheritable(int(program[4]))
        with socket.socket(fileno=os.dup(int(program[4]))) as listener:
            assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            assert program[6] == f"http://127.0.0.1:{listener.getsockname()[1]}"
        programs.append(program)

    monkeypatch.setattr(os, "execv", execute)
    start.start_parent(Settings(data_dir=tmp_path, workers=3, port=0), upgrade=True)
    ((_, _, module, workers, _, data_dir, _, flag),) = programs
    assert (module, workers, data_dir, flag) == ("chatapp.serving.parent", "3", str(tmp_path), "--upgrade")


def test_an_address_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SystemExit, match=f"chatapp cannot listen on 127.0.0.1:{port}: Address already in use"):
            start.listen(Settings(data_dir=tmp_path, port=port))


def test_the_options_are_those_of_the_command_line() -> None:
    options = parse_options(["--workers", "3", "--upgrade"])
    assert (options.workers, options.upgrade, options.link, options.first) == (3, True, None, False)
    with pytest.raises(SystemExit):
        parse_options(["--worker", "3"])


def test_a_worker_has_its_number_and_its_spool_from_the_parent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    alone = Settings(data_dir=tmp_path, port=5001)
    assert (alone.worker, alone.spool_path.name) == (None, "spool-5001.sqlite3")
    monkeypatch.setenv("CHATAPP_WORKER", "2")
    worker = Settings(data_dir=tmp_path, port=5001, workers=3)
    assert (worker.worker, worker.spool_path.name) == (2, "spool-2.sqlite3")


@pytest.fixture
def channel(tmp_path: Path) -> Any:
    ours, theirs = socket.socketpair()
    (tmp_path / "loads").write_bytes(bytes(16))
    with socket.create_server(("127.0.0.1", 0)) as listener, ours:
        loads = os.open(tmp_path / "loads", os.O_RDWR)
        link = ParentLink(f"{listener.detach()},{theirs.detach()},{loads},1", is_first=False)
        yield ours, link
        os.close(loads)
        link.listener.close()
        link._channel.close()


def test_a_worker_reports_that_it_is_ready_and_learns_that_it_was_replaced(channel: Any) -> None:
    parent, link = channel
    link.report_ready("/setup/x")
    assert parent.recv(100) == b"ready /setup/x\n"
    parent.send(b"retire\n")
    assert link.wait()
    parent.close()
    assert not link.wait()


def test_a_replaced_worker_finishes_its_requests_and_closes_idle_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "GRACE_SECONDS", 0.01)
    app = Flask("chatapp")
    backlog = SimpleNamespace(since="an outage")
    app.extensions[WRITER] = SimpleNamespace(backlog=backlog)
    app.extensions[ANSWER_WORKER] = SimpleNamespace(stop_claiming=lambda: None, running=0)
    connections = HttpConnections(Settings(data_dir=tmp_path))
    counts: list[int] = []
    connections.publish = counts.append
    closed: list[str] = []
    _idle, busy, chatting = (
        connections.open(f"10.0.0.{number}", lambda name=name: closed.append(name))  # type: ignore[misc]
        for number, name in enumerate(("idle", "busy", "chatting"))
    )
    assert not isinstance(busy, Refusal)
    assert not isinstance(chatting, Refusal)
    for connection in (busy, chatting):
        assert connection.begin_request("10.0.0.9", None) is None
    close_chat = chatting.detach()
    assert (counts, connections.requests) == ([1, 2, 3], 1)
    stopped = threading.Event()

    def stop_accepting() -> None:
        assert backlog.since is None, "it continues until what it has spooled is stored"
        stopped.set()

    end = server.End(is_replaced=True, signals=[])
    leave = threading.Thread(target=server._leave_to_others, args=(app, stop_accepting, connections, end))
    leave.start()
    assert not stopped.wait(0.15)
    backlog.since = cast("str", None)
    assert stopped.wait(10)
    leave.join(0.1)
    assert leave.is_alive(), "a request is in progress"
    busy.wait()
    leave.join(10)
    assert not leave.is_alive()
    assert connections.is_closing
    assert sorted(closed) == ["busy", "idle"]
    close_chat()
    assert (connections.count, connections.detached, counts) == (0, 0, [1, 2, 3])


def test_a_signal_ends_a_replaced_worker_during_an_outage_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "GRACE_SECONDS", 0.01)
    app = Flask("chatapp")
    app.extensions[WRITER] = SimpleNamespace(backlog=SimpleNamespace(since="an outage"))
    app.extensions[ANSWER_WORKER] = SimpleNamespace(stop_claiming=lambda: None, running=1)
    signals: list[int] = []
    stopped = threading.Event()
    leave = threading.Thread(
        target=server._leave_to_others,
        args=(app, stopped.set, HttpConnections(Settings(data_dir=tmp_path)), server.End(True, signals)),
    )
    leave.start()
    assert not stopped.wait(0.15)
    signals.append(signal.SIGTERM)
    leave.join(10)
    assert not leave.is_alive()
    assert stopped.is_set()


@pytest.mark.parametrize(("has_failed", "status"), [(False, None), (True, "The workers were not replaced")])
def test_a_reload_waits_for_its_result(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    has_failed: bool,
    status: str | None,
) -> None:
    file = PidFile.claim(tmp_path)
    assert file is not None
    monkeypatch.setattr(reload, "load_settings", lambda: Settings(data_dir=tmp_path))
    signals: list[tuple[int, int]] = []

    def kill(pid: int, number: int) -> None:
        signals.append((pid, number))
        state = ParentState(pid, reloads=1, has_failed=has_failed)
        threading.Timer(0.1, file.write, [state]).start()

    monkeypatch.setattr(os, "kill", kill)
    if status:
        with pytest.raises(SystemExit, match=status):
            reload.main()
    else:
        reload.main()
        assert capsys.readouterr().out == "The workers were replaced.\n"
    assert signals == [(os.getpid(), signal.SIGHUP)]
    os.close(file._descriptor)


def test_a_reload_ends_when_there_is_no_parent_or_when_it_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "load_settings", lambda: Settings(data_dir=tmp_path))
    with pytest.raises(SystemExit, match="No bin/serve --workers runs"):
        reload.main()
    file = PidFile.claim(tmp_path)
    assert file is not None
    monkeypatch.setattr(os, "kill", lambda _pid, _number: os.close(file._descriptor))
    with pytest.raises(SystemExit, match="chatapp was stopped meanwhile"):
        reload.main()
