"""Time of a page: a room of 1,000,000 messages against one of 1,000.

The last page, 50 messages from the middle as they are fetched by scrolling up, and 100 from the middle by the API; over
HTTP, alternately.
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
    """Measure both rooms alternately."""
    with installation(CHATAPP_API_REQUESTS_PER_MINUTE="0") as target:
        rooms = {side: target.create_room(side) for side in SIZES}
        for side, size in SIZES.items():
            target.fill(rooms[side], size)
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
        api_client = target.api_client()
        figures = []
        for name, path in paths.items():
            times: dict[str, list[float]] = {side: [] for side in SIZES}
            for _ in range(ROUNDS):
                for side in SIZES:
                    http = api_client if path[side].startswith("/api/") else target.browser()
                    times[side].append(_measure_median_ms(http, target.url + path[side]))
            large, small = SIZES
            figures.append(Figure.of(name, "ms", (large, times[large]), (small, times[small])))
        return figures


def _measure_median_ms(http: requests.Session, url: str) -> float:
    times = []
    for _ in range(REQUESTS):
        start = time.perf_counter()
        response = http.get(url, timeout=30)
        times.append((time.perf_counter() - start) * 1000)
        assert response.ok
    return statistics.median(times)
