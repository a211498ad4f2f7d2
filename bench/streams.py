"""Chat beside assistants: a room of 50 users while 100 answers are streamed, against the same room without them.

Latency is from the sending of a message until each of the others receives it. The sides alternate on one server; the
model server has OpenAI's protocol and sends 25 chunks a second in each answer. The server has one core, the load and
the model server the other.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.installation import LOAD_CORE, Installation, installation
from bench.report import Figure
from bench.room import Room, make_message, p99
from bench.sockets import LoadSocket
from tests.harness.people import Person

ROUNDS = 3
PEOPLE = 50
ASKERS = 10
SESSIONS = 10
"""Assistant sessions of each asker, with one answer in each."""
SECONDS = 8.0

ASSISTANT = """
[[assistant]]
name = "participant"
provider = {{ kind = "openai", base_url = "http://127.0.0.1:{port}/v1", model = "participant" }}
"""


def run() -> Sequence[Figure]:
    """Measure both sides alternately."""
    with tempfile.TemporaryDirectory() as folder, _model() as port:
        path = Path(folder) / "assistants.toml"
        path.write_text(ASSISTANT.format(port=port))
        with installation(CHATAPP_ASSISTANTS_FILE=str(path), CHATAPP_ASSISTANT_DAILY_LIMIT="0") as target:
            beside, alone, deltas = asyncio.run(_measure(target))
    sides = ("beside 100 answers", beside), ("without", alone)
    print(f"{statistics.median(deltas):.0f} deltas a second were received meanwhile", file=sys.stderr)
    return [
        Figure.of(name, "ms", *((side, [pick(values) for values in rounds]) for side, rounds in sides))
        for name, pick in (("latency, median", statistics.median), ("latency, p99", p99))
    ]


async def _measure(target: Installation) -> tuple[list[list[float]], list[list[float]], list[float]]:
    people = target.add_people(PEOPLE)
    room = await Room.open(target, people)
    model = await Model.open(target, people[:ASKERS])
    os.sched_setaffinity(0, {LOAD_CORE})
    beside, alone, deltas = [], [], []
    await room.chat(SECONDS)
    for _ in range(ROUNDS):
        alone.append(await room.chat(SECONDS))
        await model.ask()
        await asyncio.sleep(2)
        before, start = model.deltas, time.monotonic()
        beside.append(await room.chat(SECONDS))
        deltas.append((model.deltas - before) / (time.monotonic() - start))
        await model.stop()
    return beside, alone, deltas


class Model:
    """Assistant sessions in which a model answers, with their owners connected."""

    def __init__(self) -> None:
        self.deltas = 0
        self._sessions: list[tuple[LoadSocket, str]] = []
        self._answer_seqs: dict[str, int] = {}
        """The number of the answer in each session."""

    @classmethod
    async def open(cls, target: Installation, people: Sequence[Person]) -> "Model":
        """Create the sessions."""
        model = cls()
        for person in people:
            socket = await LoadSocket.connect(target.url, person.cookie, model._on_event)
            for _ in range(SESSIONS):
                session = _create_session(target, person.http)
                assert (await socket.call("join_chat", {"conversation": session}))["ok"]
                model._sessions.append((socket, session))
        return model

    async def ask(self) -> None:
        """Ask a question in every session."""
        for socket, session in self._sessions:
            ack = await socket.call("send_message", make_message(session, "Talk."))
            self._answer_seqs[session] = ack["message"]["seq"] + 1

    async def stop(self) -> None:
        """Stop all answers."""
        for socket, session in self._sessions:
            ack = await socket.call("stop_answer", {"conversation": session, "seq": self._answer_seqs[session]})
            assert ack["message"]["state"] == "streaming", ack
        await asyncio.sleep(2)

    def _on_event(self, event: str, _payload: Any) -> None:
        self.deltas += event == "assistant_delta"


def _create_session(target: Installation, http: Any) -> str:
    token = http.get(f"{target.url}/sessions").text.partition('name="csrf_token" value="')[2].partition('"')[0]
    page = http.post(f"{target.url}/sessions", data={"assistant": "participant", "csrf_token": token})
    return f"assistant_{page.url.rpartition('/')[2]}"


@contextmanager
def _model() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-m", "bench.model_server"], stdout=subprocess.PIPE, text=True) as model:
        try:
            assert model.stdout is not None
            core = str(LOAD_CORE)
            subprocess.run(["taskset", "-p", "-c", core, str(model.pid)], check=True, stdout=subprocess.DEVNULL)
            yield int(model.stdout.readline())
        finally:
            model.kill()
