"""Uploads: four people upload files of 100 MB, beside a room of 50 people who chat, against the same room alone.

Each file has another content, so that each is written to the disk, inspected and stored. The sides alternate on one
server, which has one core, and the load the other.
"""

import asyncio
import os
import secrets
import socket
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bench.installation import LOAD_CORE, Installation, installation
from bench.report import Figure
from bench.room import Room, p99
from bench.sockets import LoadSocket

ROUNDS = 3
PEOPLE = 50
UPLOADERS = 4
FILE_BYTES = 100_000_000
SECONDS = 10.0
"""Time for which a side chats, and begins uploads."""
GOAL_MB_PER_SECOND = 50.0
SAMPLE_SECONDS = 0.2
UNIQUE_BYTES = 32
"""Beginning of a file that no other has."""


@dataclass
class Side:
    """The measurements of one side, a value for each round."""

    p99: list[float] = field(default_factory=list)
    longest: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    throughput: list[float] = field(default_factory=list)

    async def measure(self, target: Installation, room: Room, uploaders: Sequence[LoadSocket], path: Path) -> None:
        """Let the room chat and the uploaders upload for a while."""
        memory = [target.memory()]
        sampling = asyncio.create_task(_sample_memory(target, memory))
        start = time.monotonic()
        uploading = [asyncio.create_task(_upload_until(target, each, path, start + SECONDS)) for each in uploaders]
        latencies = await room.chat(SECONDS)
        uploaded = sum(await asyncio.gather(*uploading))
        self.throughput.append(uploaded / 1e6 / (time.monotonic() - start))
        sampling.cancel()
        self.p99.append(p99(latencies))
        self.longest.append(max(latencies))
        self.memory.append(max(memory))


def run() -> Sequence[Figure]:
    """Measure both sides alternately."""
    with installation(CHATAPP_UPLOADS_PER_MINUTE="0", CHATAPP_EVENTS_PER_SECOND="0") as target:
        beside, alone = asyncio.run(_measure(target))
    subject, other = f"beside {UPLOADERS} uploads", "without"
    return [
        Figure.of("throughput", "MB/s", ("uploads", beside.throughput), ("goal", [GOAL_MB_PER_SECOND])),
        Figure.of("latency, p99", "ms", (subject, beside.p99), (other, alone.p99)),
        Figure.of("latency, longest", "ms", (subject, beside.longest), (other, alone.longest)),
        Figure.of("memory, highest", "MB", (subject, beside.memory), (other, alone.memory)),
    ]


async def _measure(target: Installation) -> tuple[Side, Side]:
    people = target.add_people(PEOPLE + UPLOADERS)
    room = await Room.open(target, people[:PEOPLE])
    uploaders = [await LoadSocket.connect(target.url, person.cookie) for person in people[PEOPLE:]]
    os.sched_setaffinity(0, {LOAD_CORE})
    beside, alone = Side(), Side()
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(FILE_BYTES)
        await room.chat(2)
        for _ in range(ROUNDS):
            await alone.measure(target, room, (), Path(file.name))
            await beside.measure(target, room, uploaders, Path(file.name))
    return beside, alone


async def _upload_until(target: Installation, uploader: LoadSocket, path: Path, end: float) -> int:
    """Upload one file after the other; return the number of bytes."""
    uploaded = 0
    while time.monotonic() < end:
        ack = await uploader.call("create_upload", {"name": "data.bin", "size": FILE_BYTES})
        assert ack["ok"], ack
        await asyncio.to_thread(_send, target.url, ack["upload"]["url"], path)
        uploaded += FILE_BYTES
    return uploaded


def _send(url: str, upload_path: str, path: Path) -> None:
    """Send a file. The system copies its bytes, so that the load takes little time of its core."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    with socket.create_connection((host, port)) as connection, path.open("rb") as file:
        head = (
            f"PATCH {upload_path} HTTP/1.1\r\nHost: {host}:{port}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
            f"Content-Type: application/offset+octet-stream\r\nContent-Length: {FILE_BYTES}\r\n\r\n"
        )
        connection.sendall(head.encode() + secrets.token_bytes(UNIQUE_BYTES))
        connection.sendfile(file, UNIQUE_BYTES)
        status = connection.recv(65_536).split(b"\r\n")[0]
        assert b" 204 " in status, status


async def _sample_memory(target: Installation, memory: list[float]) -> None:
    while True:
        memory.append(target.memory())
        await asyncio.sleep(SAMPLE_SECONDS)
