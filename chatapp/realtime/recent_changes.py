"""What has changed in people's lists of conversations since their page was rendered.

A page receives no events before its socket is connected. What is emitted until then is not lost: the list is fetched
again.
"""

import time
from collections.abc import Iterable
from typing import Final

KEPT_SECONDS = 60.0
"""Time for which changes are kept. A page that takes longer to connect fetches its list again in any case."""


class RecentChanges:
    """The channels of this process in which changes of the list were emitted, and when the last one was."""

    def __init__(self) -> None:
        self._started_at: Final = time.monotonic()
        self._changed_at: dict[str, float] = {}
        """By channel, the one that has changed last at the end."""

    def add(self, channel: str) -> None:
        """Record that a change is emitted in a channel."""
        now = time.monotonic()
        self._changed_at.pop(channel, None)
        self._changed_at[channel] = now
        while now - self._changed_at[oldest := next(iter(self._changed_at))] > KEPT_SECONDS:
            del self._changed_at[oldest]

    def has_changed(self, channels: Iterable[str], since: float) -> bool:
        """Return whether one of the channels may have changed since a moment of the monotonic clock."""
        if since < max(self._started_at, time.monotonic() - KEPT_SECONDS):
            return True
        return any(self._changed_at.get(channel, since) > since for channel in channels)
