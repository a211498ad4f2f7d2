"""The audit: people who talk through everything, and write down what was acknowledged and what they saw.

They do as the browser's page does: a message is sent again under its `client_id` until it is acknowledged, the next one
only then; events are merged by their numbers, and a gap is asked for.
"""

import asyncio
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from typing import Any

from bench.sockets import LoadSocket
from tests.harness.people import Person
from tests.harness.servers import Server


@dataclass
class Talker:
    """One person in one conversation."""

    person: Person
    conversation: str
    name: str
    pause: float = 0.01
    """Seconds between two messages."""
    url: str | None = None
    """Where to connect to, if not to the server itself."""
    patience: float = 20.0
    """Seconds after which an acknowledgement is no longer waited for."""
    sent: list[str] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    seen: dict[int, dict[str, Any]] = field(default_factory=dict)
    cursor: int = 0
    epoch: str | None = None
    problems: list[str] = field(default_factory=list)
    resets: int = 0
    _behind: asyncio.Event = field(default_factory=asyncio.Event)
    _unacknowledged: str | None = None

    async def talk(self, stop: asyncio.Event) -> None:
        """Talk until `stop`, then until the last message is acknowledged."""
        while not (stop.is_set() and self._unacknowledged is None):
            try:
                socket = await asyncio.wait_for(self._connect(), self.patience)
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.1)
                continue
            try:
                await self._catch_up(socket)
                while not (stop.is_set() and self._unacknowledged is None):
                    await self._say_next(socket)
                    if self._behind.is_set():
                        await self._catch_up(socket)
            except (TimeoutError, ConnectionError):
                continue
            finally:
                socket.close()

    async def look_once_more(self) -> None:
        """See what the others said last."""
        socket = await self._connect()
        await self._catch_up(socket)
        socket.close()

    async def _connect(self) -> LoadSocket:
        return await LoadSocket.connect(self.url or self.person.server.url, self.person.cookie, self._hear)

    async def _say_next(self, socket: LoadSocket) -> None:
        if self._unacknowledged is None:
            self._unacknowledged = str(uuid.uuid4())
            self.sent.append(self._unacknowledged)
        payload = {
            "conversation": self.conversation,
            "content": f"{self.name} {len(self.sent)}",
            "client_id": self._unacknowledged,
        }
        answer = await asyncio.wait_for(socket.call("send_message", payload), self.patience)
        if answer["ok"]:
            self.acknowledged.add(self._unacknowledged)
            self._unacknowledged = None
            await asyncio.sleep(self.pause)
        elif answer["error"]["code"] in {"busy", "unavailable", "internal"}:
            await asyncio.sleep(0.1)
        else:
            raise AssertionError(answer)

    async def _catch_up(self, socket: LoadSocket) -> None:
        more = True
        while more:
            self._behind.clear()
            payload = {"conversation": self.conversation, "after": self.cursor, "epoch": self.epoch}
            answer = await asyncio.wait_for(socket.call("join_chat", payload), self.patience)
            if not answer["ok"]:
                await asyncio.sleep(0.2)
                continue
            if answer["reset"]:
                self.seen.clear()
                self.resets += 1
            for message in answer["messages"]:
                self._draw(message)
            self.cursor, self.epoch, more = answer["to"], answer["epoch"], answer["more"]

    def _hear(self, event: str, payload: Any) -> None:
        message = payload.get("message") if event == "message_saved" else payload
        if event not in {"chat_message", "message_changed", "message_saved"} or not message:
            return
        if message["conversation"] != self.conversation or message["pending"]:
            return
        if message["version"] == self.cursor + 1:
            self._draw(message)
            self.cursor += 1
        elif message["version"] > self.cursor:
            self._behind.set()

    def _draw(self, message: dict[str, Any]) -> None:
        known = self.seen.get(message["seq"])
        if known is not None and known["client_id"] != message["client_id"]:
            self.problems.append(f"two messages with number {message['seq']}")
        if known is None or known["version"] <= message["version"]:
            self.seen[message["seq"]] = message


@contextmanager
def talking(*talkers: Talker) -> Iterator[None]:
    """Let people talk while the block runs; afterwards they finish."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def all_talk() -> None:
        async with asyncio.timeout(120):
            await asyncio.gather(*(talker.talk(stop) for talker in talkers))
            await asyncio.gather(*(talker.look_once_more() for talker in talkers))
            await asyncio.sleep(0.1)  # Closed sockets are let go of.

    task = loop.create_task(all_talk())
    thread = threading.Thread(target=loop.run_until_complete, args=(task,))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
    task.result()


def audit(server: Server, *talkers: Talker) -> None:
    """Compare database, receivers and a fresh page with what was acknowledged: lost 0, doubled 0, out of order 0."""
    for conversation in {talker.conversation for talker in talkers}:
        here = [talker for talker in talkers if talker.conversation == conversation]
        number = 1 if conversation == "general" else int(conversation.removeprefix("room_"))
        rows = server.rows(
            f"SELECT seq, client_id, content FROM messages WHERE conversation_id = {number} ORDER BY seq"
        )
        stored = [str(client_id) for _, client_id, _ in rows]
        problems = [problem for talker in here for problem in talker.problems]
        if [seq for seq, _, _ in rows] != list(range(1, len(rows) + 1)):
            problems.append("the numbers have holes")
        if len(set(stored)) != len(stored):
            problems.append(f"doubled: {len(stored) - len(set(stored))}")
        for talker in here:
            lost = talker.acknowledged - set(stored)
            if lost:
                problems.append(f"{talker.name} lost {len(lost)} acknowledged messages")
            mine = [client_id for client_id in stored if client_id in set(talker.sent)]
            if mine != talker.sent:
                problems.append(f"{talker.name}'s messages are stored out of order or not at all")
            seen = [talker.seen[seq]["client_id"] for seq in sorted(talker.seen)]
            if (stored[-len(seen) :] if talker.resets else stored) != seen:
                problems.append(f"{talker.name} saw {len(seen)} of {len(stored)}, or in another order")
        if fresh_page(here[0].person, conversation) != [str(content) for _, _, content in rows]:
            problems.append("a fresh page shows something else")
        assert not problems, "\n".join(problems)
        assert all(talker.acknowledged for talker in here), "somebody said nothing: this proves nothing"


def fresh_page(person: Person, conversation: str) -> list[str]:
    """Read a conversation from its end to its beginning, as scrolling up does."""
    bodies: list[str] = []
    before = 10**15
    while True:
        page = person.get(f"/conversations/{conversation}/messages?before={before}").text
        found = re.findall(r'data-seq="(\d+)".*?class="message-body">(.*?)</div>', page, re.DOTALL)
        bodies = [unescape(body) for _, body in found] + bodies
        if 'data-older="true"' not in page:
            return bodies
        before = int(found[0][0])
