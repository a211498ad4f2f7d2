"""People who type searches."""

import time
from urllib.parse import quote

from bench.attacks.attack import Attack, Client

PEOPLE = 20
KEY_SECONDS = 0.2
"""Pause between two keys, longer than the page waits for the next one: it searches after each."""
READ_SECONDS = 3.0


class Typing(Attack):
    """Types words, whose results follow each key, and reads what was found."""

    threads = accounts = PEOPLE

    def run(self, client: Client) -> None:
        """See `Attack`. The paths of the plan are the words."""
        time.sleep(client.rng.random() * READ_SECONDS)
        while client.seconds_left > 0:
            self._search(client, client.rng.choice(client.plan.paths))

    def _search(self, client: Client, word: str) -> None:
        for length in range(1, len(word) + 1):
            started = time.monotonic()
            client.request("GET", f"/search/results?q={quote(word[:length])}")
            pause(KEY_SECONDS - (time.monotonic() - started), client)
        client.request("GET", f"/search/count?q={quote(word)}")
        pause(READ_SECONDS * client.rng.uniform(0.5, 1.5), client)


def pause(seconds: float, client: Client) -> None:
    """Wait, but not longer than the attack takes."""
    time.sleep(max(0, min(seconds, client.seconds_left)))
