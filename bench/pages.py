"""Pages: requests a second on one core, and their processor time, against a bare Flask route with the same bytes.

The bare route is served by the same server code, on the same core, in turn. A member of 20 rooms requests the pages
over eight connections that stay open. The page of a room with 1,000,000 messages is compared to that of one with 1,000,
and a second visit of Chromium to a room, which has a cache, to the first one. `--only PAGE` measures just one.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from bench.http_load import repeat_request
from bench.installation import LOAD_CORE, SERVER_CORE, Installation, installation, processor_seconds
from bench.page_weight import measure_visits
from bench.report import Figure
from tests.harness.html import attribute
from tests.harness.people import Person, room_path

ROUNDS = 3
SECONDS = 2.0
WARM_UP_SECONDS = 0.5
PEOPLE = 20
ROOMS = 18
"""Rooms in the sidebar besides the small and the large one."""
MESSAGES = 1_000
MANY_MESSAGES = 1_000_000
UNREAD = 12

ROOM = "room"
COMPRESSED_ROOM = "room, compressed"
LARGE_ROOM = "room of 1,000,000"
WEIGHT = "weight"
PAGES = (
    ROOM,
    COMPRESSED_ROOM,
    LARGE_ROOM,
    "General",
    "sidebar",
    "health",
    "50 messages by the API",
    "static file",
    WEIGHT,
)


@dataclass(frozen=True, slots=True)
class Request:
    """A request, and the process that responds to it."""

    url: str
    headers: Mapping[str, str]
    pid: int


@dataclass
class Side:
    """The measurements of one request, a value for each round."""

    request: Request
    rates: list[float] = field(default_factory=list)
    processor_ms: list[float] = field(default_factory=list)

    def measure(self) -> None:
        """Measure one round."""
        before = processor_seconds(self.request.pid)
        load = repeat_request(self.request.url, self.request.headers, SECONDS)
        self.rates.append(load.responses / load.seconds)
        self.processor_ms.append((processor_seconds(self.request.pid) - before) * 1_000 / load.responses)

    def compare(self, name: str, subject: str, compared_to: str, other: "Side") -> list[Figure]:
        """Return the figures of this side and of another one."""
        return [
            Figure.of(name, "1/s", (subject, self.rates), (compared_to, other.rates)),
            Figure.of(f"{name}, CPU", "ms", (subject, self.processor_ms), (compared_to, other.processor_ms)),
        ]


def run(*, only: str | None = None) -> Sequence[Figure]:
    """Measure every page, or `only` one, alternately with its peer."""
    names = list(PAGES) if only is None else [ROOM, LARGE_ROOM] if only == LARGE_ROOM else [only]
    with installation(CHATAPP_API_REQUESTS_PER_MINUTE="0") as target:
        all_requests = _prepare(target, has_large_room=LARGE_ROOM in names)
        figures = _measure({name: all_requests[name] for name in names if name != WEIGHT}) if names != [WEIGHT] else []
        if WEIGHT in names:
            first, second = measure_visits(all_requests[ROOM].url, all_requests[ROOM].headers["Cookie"])
            for name, unit, pick in (("requests", "", 0), ("transferred", "KB", 1)):
                values = (("second visit", [second[pick]]), ("first visit", [first[pick]]))
                figures.append(Figure.of(f"{WEIGHT}, {name}", unit, *values))
    return figures


def _prepare(target: Installation, *, has_large_room: bool) -> dict[str, Request]:
    """Fill an installation, and return the requests by name."""
    people = target.add_people(PEOPLE)
    reader = people[0]
    target.add_members("general", people)
    target.fill("general", MESSAGES, senders=PEOPLE, unread=UNREAD)
    for number in range(ROOMS):
        _add_room(target, people, f"Room {number + 1}", MESSAGES // 10)
    small = _add_room(target, people, "Small room", MESSAGES)
    large = _add_room(target, people, "Large room", MANY_MESSAGES if has_large_room else MESSAGES)

    paths = {
        ROOM: room_path(small),
        LARGE_ROOM: room_path(large),
        "General": "/",
        "sidebar": "/sidebar",
        "static file": attribute(reader.get("/").text, "link[rel=stylesheet]", "href"),
    }
    token = reader.create_token("read")
    found = {name: ({"Cookie": reader.cookie}, path) for name, path in paths.items()}
    found[COMPRESSED_ROOM] = {"Cookie": reader.cookie, "Accept-Encoding": "gzip"}, room_path(small)
    found["health"] = {}, "/health"
    found["50 messages by the API"] = (
        {"Authorization": f"Bearer {token}"},
        f"/api/conversations/{small}/messages?limit=50",
    )
    return {name: Request(target.url + path, headers, target.pid) for name, (headers, path) in found.items()}


def _add_room(target: Installation, people: Sequence[Person], name: str, messages: int) -> str:
    room = target.create_room(name)
    target.add_members(room, people)
    target.fill(room, messages, senders=PEOPLE, unread=UNREAD)
    return room


def _measure(subjects: Mapping[str, Request]) -> list[Figure]:
    os.sched_setaffinity(0, {LOAD_CORE})
    sides = {name: Side(request) for name, request in subjects.items()}
    with _bare_routes(subjects) as bare_requests:
        bare_sides = {name: Side(request) for name, request in bare_requests.items()}
        for side in [*sides.values(), *bare_sides.values()]:
            repeat_request(side.request.url, side.request.headers, WARM_UP_SECONDS)
        for _ in range(ROUNDS):
            for name, side in sides.items():
                side.measure()
                bare_sides[name].measure()
    figures = [figure for name in sides for figure in sides[name].compare(name, "chatapp", "bare", bare_sides[name])]
    if LARGE_ROOM in sides:
        figures += sides[LARGE_ROOM].compare("a room's page", "1,000,000 messages", "1,000", sides[ROOM])
    return figures


@contextmanager
def _bare_routes(subjects: Mapping[str, Request]) -> Iterator[dict[str, Request]]:
    """Serve what the requests return with a bare Flask application, and return the requests for it."""
    with tempfile.TemporaryDirectory() as folder:
        names = {name: str(number) for number, name in enumerate(subjects)}
        for name, request in subjects.items():
            headers = {"Accept-Encoding": "identity", **request.headers}
            with requests.get(request.url, headers=headers, stream=True) as response:
                response.raise_for_status()
                Path(folder, names[name]).write_bytes(response.raw.read())
        command = ["taskset", "-c", str(SERVER_CORE), sys.executable, "-W", "ignore", "-m", "bench.bare_server", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                url = f"http://127.0.0.1:{int(server.stdout.readline())}"
                yield {name: Request(f"{url}/{path}", {}, server.pid) for name, path in names.items()}
            finally:
                server.kill()
