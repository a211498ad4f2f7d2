"""The parts of the benchmarks that comparisons outside of this repository use."""

import base64
import socket
from email import message_from_bytes

from bench.fanout import _send
from bench.installation import LOAD_CORE, SERVER_CORE, UNLIMITED, Installation, installation
from bench.listeners import Listener, Report, listening
from bench.sockets import LoadSocket, upgrade_request
from tests.harness.ports import free_port


def test_comparisons_with_other_servers_find_what_they_import() -> None:
    assert {LOAD_CORE, SERVER_CORE} == {0, 1}
    assert UNLIMITED
    for used in (_send, free_port, installation, listening, LoadSocket.connect, LoadSocket.call):
        assert callable(used)
    for name in ("add_people", "admit", "create_room"):
        assert callable(getattr(Installation, name))
    report = Report(received=3, last=1.5, problems=[])
    assert (report.heard, report.last, report.problems) == (3, 1.5, [])


def test_servers_that_check_the_key_of_a_websocket_accept_the_load() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        listener = Listener(f"http://127.0.0.1:{server.getsockname()[1]}", "", None)
        connection, _ = server.accept()
        with connection, listener.socket:
            sent_by_listener = connection.recv(65_536)
    for request in (sent_by_listener, upgrade_request("http://127.0.0.1:5000", "")):
        headers = message_from_bytes(request.partition(b"\r\n")[2])
        assert len(base64.b64decode(headers["Sec-WebSocket-Key"], validate=True)) == 16
