"""Chat beside assistants: a room of 50 people while 100 answers stream, against the same room without them.

Latency is from the sending of a message until each of the others has it. The sides take turns on one server; the model
speaks the protocol of OpenAI, 25 pieces a second in each answer. The server has one core, load and model the other one.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.installation import Installation, installation
from bench.report import Figure
from bench.sockets import LoadSocket

ROUNDS = 3
PEOPLE = 50
ASKERS = 10
SESSIONS = 10
"""Answers that each of the askers has streaming."""
SECONDS = 8.0
PAUSE = 2.0
"""Seconds between two messages of one person."""

ASSISTANT = """
[[assistant]]
name = "talker"
provider = {{ kind = "openai", base_url = "http://127.0.0.1:{port}/v1", model = "talker" }}
"""


def run() -> Sequence[Figure]:
    """Measure both sides in turn."""
    with tempfile.TemporaryDirectory() as folder, _model() as port:
        path = Path(folder) / "assistants.toml"
        path.write_text(ASSISTANT.format(port=port))
        with installation(CHATAPP_ASSISTANTS=str(path), CHATAPP_ASSISTANT_DAILY_LIMIT="0") as place:
            beside, alone, deltas = asyncio.run(_measure(place))
    sides = ("beside 100 answers", beside), ("without", alone)
    print(f"{statistics.median(deltas):.0f} deltas a second were told meanwhile", file=sys.stderr)
    return [
        Figure.of(name, "ms", *((side, [pick(values) for values in rounds]) for side, rounds in sides))
        for name, pick in (("latency, median", statistics.median), ("latency, p99", _p99))
    ]


def _p99(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


async def _measure(place: Installation) -> tuple[list[list[float]], list[list[float]], list[float]]:
    people = place.add_people(PEOPLE)
    sent: dict[str, float] = {}
    latencies: list[float] = []

    def hear(event: str, payload: Any) -> None:
        if event == "chat_message" and payload["client_id"] in sent:
            latencies.append((time.perf_counter() - sent[payload["client_id"]]) * 1000)

    talkers = [await LoadSocket.connect(place.url, person.cookie, hear) for person in people]
    for talker in talkers:
        assert (await talker.call("join_chat", {"conversation": "general"}))["ok"]
    told = [0]

    def count(event: str, _payload: Any) -> None:
        told[0] += event == "assistant_delta"

    askers = [await LoadSocket.connect(place.url, person.cookie, count) for person in people[:ASKERS]]
    sessions = [[_begin(place, person.http) for _ in range(SESSIONS)] for person in people[:ASKERS]]
    for asker, theirs in zip(askers, sessions, strict=True):
        for session in theirs:
            assert (await asker.call("join_chat", {"conversation": session}))["ok"]
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

    async def talk(talker: LoadSocket, delay: float, end: float) -> None:
        await asyncio.sleep(delay)
        while time.monotonic() < end:
            client_id = str(uuid.uuid4())
            sent[client_id] = time.perf_counter()
            content = "A sentence of about sixty characters, as people write them."
            await talker.call("send_message", {"conversation": "general", "content": content, "client_id": client_id})
            await asyncio.sleep(PAUSE)

    async def chat() -> list[float]:
        latencies.clear()
        end = time.monotonic() + SECONDS
        await asyncio.gather(*(talk(each, PAUSE * number / PEOPLE, end) for number, each in enumerate(talkers)))
        return list(latencies)

    beside, alone, deltas = [], [], []
    await chat()
    for _ in range(ROUNDS):
        alone.append(await chat())
        asked = await _ask(askers, sessions)
        await asyncio.sleep(2)
        told[0], start = 0, time.monotonic()
        beside.append(await chat())
        deltas.append(told[0] / (time.monotonic() - start))
        await _stop(askers, sessions, asked)
    for socket in (*talkers, *askers):
        socket.close()
    return beside, alone, deltas


def _begin(place: Installation, http: Any) -> str:
    token = http.get(f"{place.url}/sessions").text.partition('name="csrf_token" value="')[2].partition('"')[0]
    page = http.post(f"{place.url}/sessions", data={"assistant": "talker", "csrf_token": token})
    return "assistant_" + page.url.rpartition("/")[2]


async def _ask(askers: Sequence[LoadSocket], sessions: Sequence[Sequence[str]]) -> dict[str, int]:
    """Ask in every session; give the number of each answer."""
    asked = {}
    for asker, theirs in zip(askers, sessions, strict=True):
        for session in theirs:
            question = {"conversation": session, "content": "Talk.", "client_id": str(uuid.uuid4())}
            answer = await asker.call("send_message", question)
            asked[session] = answer["message"]["seq"] + 1
    return asked


async def _stop(askers: Sequence[LoadSocket], sessions: Sequence[Sequence[str]], asked: dict[str, int]) -> None:
    for asker, theirs in zip(askers, sessions, strict=True):
        for session in theirs:
            stopped = await asker.call("stop_answer", {"conversation": session, "seq": asked[session]})
            assert stopped["message"]["state"] == "streaming", stopped
    await asyncio.sleep(2)


@contextmanager
def _model() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-m", "bench.model_server"], stdout=subprocess.PIPE, text=True) as model:
        try:
            assert model.stdout is not None
            core = str(max(os.sched_getaffinity(0)))
            subprocess.run(["taskset", "-p", "-c", core, str(model.pid)], check=True, stdout=subprocess.DEVNULL)
            yield int(model.stdout.readline())
        finally:
            model.kill()
