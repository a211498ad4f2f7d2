"""Metrics of several workers in one response."""

import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs
from werkzeug.test import Client, create_environ

from chatapp.config import Settings
from chatapp.telemetry import workers
from chatapp.telemetry.workers import (
    IS_STATUS_REQUEST,
    StatusApp,
    join_families,
    listen_for_status,
    merge_metrics,
    read_other_workers,
    socket_path,
)


def make_metrics(requests: int) -> str:
    registry = CollectorRegistry()
    Counter("requests", "Requests.", ["route"], registry=registry).labels("a {b} c").inc(requests)
    Histogram("seconds", "Time.", registry=registry).observe(requests)
    return generate_latest(registry).decode()


def test_each_value_has_the_number_of_its_worker_and_each_metric_is_described_once() -> None:
    text = "".join(join_families({0: make_metrics(3), 2: make_metrics(5)}))
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families)
    samples = {
        (sample.name, sample.labels["worker"], sample.labels.get("route")): sample.value
        for family in families
        for sample in family.samples
        if sample.name in {"requests_total", "seconds_sum"}
    }
    assert samples == {
        ("requests_total", "0", "a {b} c"): 3,
        ("requests_total", "2", "a {b} c"): 5,
        ("seconds_sum", "0", None): 3,
        ("seconds_sum", "2", None): 5,
    }


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CHATAPP_WORKER", "0")
    monkeypatch.setattr(workers, "READ_SECONDS", 0.3)
    return Settings(data_dir=tmp_path, workers=5)


@pytest.fixture
def responding(settings: Settings) -> Iterator[None]:
    """Worker 1 responds, worker 2 is stuck, worker 3 is stopping, and worker 4 does not run."""
    responses = {1: b"HTTP/1.1 200 OK\r\n\r\n" + make_metrics(7).encode(), 3: b"HTTP/1.1 503 Stopping\r\n\r\nbye"}
    listeners = {number: listen_for_status(settings, number) for number in (1, 2, 3)}

    def respond(number: int) -> None:
        listener = listeners[number]
        assert listener is not None
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(100).startswith(b"GET /metrics ")
            connection.sendall(responses[number])

    threads = [threading.Thread(target=respond, args=(number,)) for number in responses]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(10)
    for listener in listeners.values():
        assert listener is not None
        listener.close()


@pytest.mark.usefixtures("responding")
def test_the_metrics_are_those_of_all_workers_that_respond(settings: Settings) -> None:
    text = merge_metrics(settings, make_metrics(1))
    values = {
        (sample.name, sample.labels["worker"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert (values["seconds_sum", "0"], values["seconds_sum", "1"]) == (1, 7)
    assert [values["chatapp_worker_up", str(number)] for number in range(5)] == [1, 1, 0, 0, 0]


def test_a_worker_without_a_socket_is_left_out(settings: Settings) -> None:
    assert read_other_workers(settings) == {}


def test_the_socket_takes_the_place_of_the_one_before(settings: Settings) -> None:
    first, second = listen_for_status(settings, 1), listen_for_status(settings, 1)
    assert first is not None
    assert second is not None
    with closing(first), closing(second), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(socket_path(settings, 1)))
        second.settimeout(5)
        second.accept()[0].close()


def test_a_path_that_is_too_long_is_reported(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "log", structlog.get_logger())
    folder = settings.data_dir / ("x" * 120)
    folder.mkdir()
    with capture_logs() as lines:
        assert listen_for_status(Settings(data_dir=folder, workers=2), 1) is None
    assert "choose a shorter CHATAPP_DATA_DIR" in lines[0]["event"]


def test_the_socket_serves_only_the_status_of_its_worker() -> None:
    environs: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environs.append(environ)
        start_response("200 OK", [])
        return [b"metrics"]

    client = Client(StatusApp(app))
    assert client.get("/metrics").text == "metrics"
    assert (environs[0][IS_STATUS_REQUEST], environs[0]["REMOTE_ADDR"]) == (True, "127.0.0.1")
    assert client.get("/", environ_base=create_environ()).status_code == 404
    assert len(environs) == 1
