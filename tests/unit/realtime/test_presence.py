"""Presence: the states of sockets and processes are merged, and only changes are broadcast."""

from typing import Any

import pytest

from chatapp.realtime import presence as module
from chatapp.realtime.presence import GRACE_SECONDS, REMOTE_LIFETIME_SECONDS, Presence
from tests.harness.clock import Clock


class FakeServer:
    def __init__(self) -> None:
        self.emitted: list[tuple[str | None, dict[str, Any]]] = []

    def emit(self, _event: str, payload: dict[str, Any], to: str | None = None) -> None:
        self.emitted.append((to, payload))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def presence(server: FakeServer, clock: Clock) -> Presence:
    return Presence(server)


def changes(presence: Presence, server: FakeServer) -> dict[str, str] | None:
    """Broadcast, and return the changes that were emitted to everyone; None when there were none."""
    server.emitted.clear()
    presence.broadcast_changes()
    if not server.emitted:
        return None
    ((to, payload),) = server.emitted
    assert to == "everyone"
    assert payload["whole"] is False
    people: dict[str, str] = payload["people"]
    return people


def test_a_new_socket_receives_the_state_of_all_users(presence: Presence, server: FakeServer) -> None:
    presence.add("a", 1)
    presence.broadcast_changes()
    server.emitted.clear()
    presence.add("b", 2)
    assert server.emitted == [("b", {"people": {"1": "online", "2": "online"}, "whole": True})]


def test_only_changes_are_broadcast(presence: Presence, server: FakeServer) -> None:
    presence.add("a", 1)
    presence.add("b", 2)
    assert changes(presence, server) == {"1": "online", "2": "online"}
    assert changes(presence, server) is None
    presence.set_state("b", "away")
    assert changes(presence, server) == {"2": "away"}


def test_a_user_is_online_if_one_of_their_sockets_is(presence: Presence, server: FakeServer) -> None:
    presence.add("desk", 1)
    presence.add("phone", 1)
    presence.set_state("desk", "away")
    assert presence.local_states() == {1: "online"}
    presence.set_state("phone", "away")
    assert presence.local_states() == {1: "away"}
    presence.remove("phone")
    presence.set_state("phone", "online")
    assert presence.local_states() == {1: "away"}
    assert changes(presence, server) == {"1": "away"}


def test_a_user_without_sockets_is_offline_after_a_while(presence: Presence, server: FakeServer, clock: Clock) -> None:
    presence.add("a", 1)
    changes(presence, server)
    presence.remove("a")
    clock.now += GRACE_SECONDS - 0.1
    assert changes(presence, server) is None
    clock.now += 0.1
    assert changes(presence, server) == {"1": "offline"}


def test_a_page_that_is_reloaded_stays_online(presence: Presence, server: FakeServer, clock: Clock) -> None:
    presence.add("a", 1)
    changes(presence, server)
    presence.remove("a")
    clock.now += GRACE_SECONDS - 0.1
    presence.broadcast_changes()
    presence.add("b", 1)
    clock.now += GRACE_SECONDS
    assert changes(presence, server) is None


def test_the_states_of_all_processes_are_merged(presence: Presence, server: FakeServer) -> None:
    presence.add("a", 1)
    presence.set_state("a", "away")
    presence.set_remote_states("other", {1: "online", 2: "away"})
    assert changes(presence, server) == {"1": "online", "2": "away"}
    assert presence.local_states() == {1: "away"}


def test_users_of_a_process_that_stopped_reporting_go_offline(
    presence: Presence, server: FakeServer, clock: Clock
) -> None:
    presence.set_remote_states("other", {2: "online"})
    assert changes(presence, server) == {"2": "online"}
    clock.now += REMOTE_LIFETIME_SECONDS - 0.1
    assert changes(presence, server) is None
    clock.now += GRACE_SECONDS
    assert changes(presence, server) == {"2": "offline"}
