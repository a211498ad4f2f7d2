"""The numbers of connections of processes that share a listening socket."""

import os
import sys
from pathlib import Path

import pytest

from chatapp.http_server.listener import MAX_EXCESS, NO_LOAD, Loads


@pytest.fixture
def shared_file(tmp_path: Path) -> Path:
    path = tmp_path / "loads"
    path.write_bytes(NO_LOAD.to_bytes(8, sys.byteorder, signed=True) * 4)
    return path


def new_loads(path: Path, slot: int) -> Loads:
    descriptor = os.open(path, os.O_RDWR)
    try:
        return Loads(descriptor, slot)
    finally:
        os.close(descriptor)


def test_a_process_alone_accepts_every_connection(shared_file: Path) -> None:
    loads = new_loads(shared_file, 1)
    loads.publish(1_000)
    assert not loads.has_most()


def test_a_process_with_clearly_more_connections_than_another_lets_that_accept_first(shared_file: Path) -> None:
    first, second = new_loads(shared_file, 0), new_loads(shared_file, 3)
    first.publish(5 + MAX_EXCESS)
    second.publish(5)
    assert not first.has_most()
    first.publish(6 + MAX_EXCESS)
    assert first.has_most()
    assert not second.has_most()


def test_a_process_that_accepts_no_connections_does_not_count(shared_file: Path) -> None:
    first, second = new_loads(shared_file, 0), new_loads(shared_file, 1)
    first.publish(100)
    second.publish(0)
    assert first.has_most()
    second.publish(NO_LOAD)
    assert not first.has_most()
