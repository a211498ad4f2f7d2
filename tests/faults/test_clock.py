"""Times are for display only: the order comes from event numbers."""

import pytest

from tests.harness.clock import RIGHT_CLOCK, wrong_clock
from tests.harness.html import rendered_messages
from tests.harness.people import Person
from tests.harness.servers import Server

pytestmark = pytest.mark.faults


def test_setting_the_clock_back_does_not_change_the_order(server: Server, ana: Person, bob: Person) -> None:
    first = ana.connect().post("before")
    server.terminate()
    server.start(**wrong_clock("-1h"))
    for person in (ana, bob):
        person.sign_in()  # A cookie that was signed in the future is invalid.

    bob_socket = bob.connect()
    cursor = bob_socket.join()["last_event"]
    second = ana.connect().post("after")
    bob_socket.wait_for_contents("after")
    server.terminate()
    server.start(**RIGHT_CLOCK)
    third = ana.connect().post("after the correction")

    assert second["created_at"] < first["created_at"] < third["created_at"]
    assert [message["seq"] for message in (first, second, third)] == [1, 2, 3]
    missed = bob.connect().join(after=cursor)["messages"]
    assert [message["content"] for message in missed] == ["after", "after the correction"]
    assert [text for _, text in rendered_messages(bob.get("/").text)] == ["before", "after", "after the correction"]
