"""Full garbage collections wait until no messages are stored."""

import gc

import pytest

from chatapp.concurrency import cooperation
from chatapp.serving import garbage


@pytest.fixture
def collections(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The full collections, which are recorded instead of run. One is due."""
    done: list[str] = []
    monkeypatch.setattr(gc, "collect", lambda: done.append("full"))
    monkeypatch.setattr(gc, "get_count", lambda: (0, 0, garbage.PENDING_COLLECTIONS))
    monkeypatch.setattr(garbage, "QUIET_SECONDS", 0.0)
    turns = cooperation._Turns()
    monkeypatch.setattr(cooperation, "_turns", turns)
    monkeypatch.setattr(cooperation, "DELIVERY_SECONDS", 0.0)
    return done


def test_a_full_collection_waits_while_messages_are_stored(collections: list[str]) -> None:
    cooperation._turns.begin_urgent()
    garbage.collect_when_quiet()
    assert collections == []
    cooperation._turns.end_urgent()
    garbage.collect_when_quiet()
    assert collections == ["full"]


def test_a_full_collection_waits_until_nothing_was_stored_for_a_while(
    collections: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(garbage, "QUIET_SECONDS", 1_000.0)
    cooperation._turns.begin_urgent()
    cooperation._turns.end_urgent()
    garbage.collect_when_quiet()
    assert collections == []


def test_there_is_no_full_collection_before_it_is_due(collections: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc, "get_count", lambda: (0, 0, garbage.PENDING_COLLECTIONS - 1))
    garbage.collect_when_quiet()
    assert collections == []
