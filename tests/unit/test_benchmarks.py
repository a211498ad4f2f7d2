"""The parts of the benchmarks that comparisons outside of this repository import."""

from bench.fanout import _send
from bench.installation import LOAD_CORE, SERVER_CORE, UNLIMITED, Installation, installation
from bench.listeners import Report, listening
from bench.sockets import LoadSocket
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
