"""The protocol class of the HTTP server."""

import gc
import io
import socket
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from weakref import ref

import pytest

from chatapp.config import Settings
from chatapp.http_server.connections import HttpConnections
from chatapp.http_server.polling import ChatFirst

with warnings.catch_warnings():
    # Eventlet warns when it is imported.
    warnings.simplefilter("ignore")
    import eventlet.wsgi
    from eventlet.greenio import GreenSocket

    from chatapp.http_server.protocol import make_protocol

REQUEST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody"


@pytest.fixture(autouse=True)
def without_collections() -> Iterator[None]:
    """Free nothing but what has no references."""
    gc.disable()
    yield
    gc.enable()


def respond(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
    """Respond like an application that reads a part of the body."""
    start_response("200 OK", [("Content-Length", "2")])
    beginning: bytes = environ["wsgi.input"].read(2)
    return [beginning]


def serve(tmp_path: Path, server_end: socket.socket) -> "ref[Any]":
    """Serve a connection until it ends, and return a reference to its socket."""
    connections = HttpConnections(Settings(data_dir=tmp_path))
    green_socket = GreenSocket(server_end)
    green_socket.http_connection = connections.open("192.0.2.1", lambda: None)
    protocol = make_protocol(connections, ChatFirst(), timeout_seconds=5, keep_alive_seconds=5)
    address = ("192.0.2.1", 1234)
    server = eventlet.wsgi.Server(None, ("127.0.0.1", 5000), respond, log=io.StringIO())
    protocol([address, green_socket, eventlet.wsgi.STATE_IDLE], server)
    return ref(green_socket)


def test_a_connection_is_freed_when_it_ends(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(REQUEST)
        green_socket = serve(tmp_path, ours)
        assert theirs.recv(4_096).endswith(b"\r\n\r\nbo")
    assert green_socket() is None, "only a garbage collection would free it"
