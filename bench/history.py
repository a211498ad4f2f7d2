"""The cost of a page: a room of 1,000,000 messages against one of 1,000.

The last page, 50 messages from the middle as scrolling up asks for them, and 100 from the middle by the API; over HTTP,
in turn.
"""

import statistics
import time
from collections.abc import Sequence

import requests

from bench.installation import installation
from bench.report import Figure

ROUNDS = 3
REQUESTS = 60
SIZES = {"1,000,000 messages": 1_000_000, "1,000 messages": 1_000}


def run() -> Sequence[Figure]:
    """Measure both rooms in turn."""
    with installation(CHATAPP_API_REQUESTS_PER_MINUTE="0") as place:
        rooms = {side: place.create_room(side) for side in SIZES}
        for side, size in SIZES.items():
            place.fill(rooms[side], size)
        paths = {
            "last page": {side: f"/rooms/{room[5:]}" for side, room in rooms.items()},
            "50 from the middle": {
                side: f"/conversations/{room}/messages?before={SIZES[side] // 2}" for side, room in rooms.items()
            },
            "100 by the API": {
                side: f"/api/conversations/{room}/messages?limit=100&before={SIZES[side] // 2}"
                for side, room in rooms.items()
            },
        }
        program = place.program()
        figures = []
        for name, path in paths.items():
            times: dict[str, list[float]] = {side: [] for side in SIZES}
            for _ in range(ROUNDS):
                for side in SIZES:
                    http = program if path[side].startswith("/api/") else place.session()
                    times[side].append(_median_time(http, place.url + path[side]))
            large, small = SIZES
            figures.append(Figure.of(name, "ms", (large, times[large]), (small, times[small])))
        return figures


def _median_time(http: requests.Session, url: str) -> float:
    times = []
    for _ in range(REQUESTS):
        start = time.perf_counter()
        answer = http.get(url, timeout=30)
        times.append((time.perf_counter() - start) * 1000)
        assert answer.ok
    return statistics.median(times)
