"""Changes that a page has missed before it was connected."""

import time
from unittest.mock import patch

from chatapp.realtime.recent_changes import KEPT_SECONDS, RecentChanges


def test_changes_are_known_for_a_limited_time() -> None:
    with patch("time.monotonic", return_value=0.0) as clock:
        changes = RecentChanges()
        clock.return_value = 100.0
        changes.add("user:1")
        clock.return_value = 101.0
        changes.add("news:general")
        assert changes.has_changed(["user:1", "user:2"], since=99.5)
        assert not changes.has_changed(["user:1", "user:2"], since=100.5)
        assert changes.has_changed(["news:general"], since=100.5)

        clock.return_value = 101.5 + KEPT_SECONDS
        assert not changes.has_changed(["user:1", "news:general"], since=clock.return_value - 1)
        assert changes.has_changed([], since=100.5), "what is older is not known"


def test_a_process_does_not_know_what_happened_before_it_started() -> None:
    before = time.monotonic()
    assert RecentChanges().has_changed([], since=before - 1)
