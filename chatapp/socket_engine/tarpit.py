"""Tarpit: refusals are delayed, which slows down a client that retries at once."""

import time
from collections import Counter

from chatapp.socket_engine.limits import MAX_DELAYED_REFUSALS, REFUSAL_DELAY_SECONDS


class Tarpit:
    """Delays refusals, up to a number of them at the same time for each key. Further ones are not delayed."""

    def __init__(self) -> None:
        self._delayed: Counter[object] = Counter()

    def delay(self, key: object) -> None:
        """Wait before a client is refused."""
        if self._delayed[key] >= MAX_DELAYED_REFUSALS:
            return
        self._delayed[key] += 1
        try:
            time.sleep(REFUSAL_DELAY_SECONDS)
        finally:
            self._delayed[key] -= 1
            if not self._delayed[key]:
                del self._delayed[key]
