"""The audit: people who talk through everything, and write down what was acknowledged and what they saw.

They do as the browser's page does: a message is sent again under its `client_id` until it is acknowledged, the next one
only then; events are merged by their numbers, and a gap is asked for.
"""

import asyncio
import re
import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from typing import Any, NamedTuple

from bench.sockets import LoadSocket
from chatapp.timeline.reading import CATCH_UP_BOUND
from tests.harness.people import Person
from tests.harness.servers import Server

PASSING = {"busy", "unavailable", "internal"}
"""Errors after which a message is sent again."""


class Row(NamedTuple):
    """What of a message has to be the same everywhere."""

    seq: int
    version: int
    client_id: str
    content: str


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
    edits: int = 0
    """Of how many messages one is edited after it was sent; 0 for none."""
    sent: dict[str, str] = field(default_factory=dict)
    """What was said, by client id, in the order of sending."""
    acknowledged: dict[str, int | None] = field(default_factory=dict)
    """The numbers that the acknowledgements gave; None for those that were pending."""
    edited: dict[str, str] = field(default_factory=dict)
    """What became of messages whose edit was acknowledged."""
    unsure: dict[str, str] = field(default_factory=dict)
    """What messages became, or did not: nobody said that the edit was done."""
    seen: dict[int, Row] = field(default_factory=dict)
    heard: set[str] = field(default_factory=set)
    """The messages that came as an event, pending or not."""
    cursor: int = 0
    epoch: str | None = None
    problems: list[str] = field(default_factory=list)
    resets: int = 0
    _behind: asyncio.Event = field(default_factory=asyncio.Event)
    _unacknowledged: str | None = None
    _last_version: int = 0
    _heard_here: set[str] = field(default_factory=set)

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
        self._last_version, self._heard_here = 0, set()
        return await LoadSocket.connect(self.url or self.person.server.url, self.person.cookie, self._hear)

    async def _say_next(self, socket: LoadSocket) -> None:
        if self._unacknowledged is None:
            self._unacknowledged = str(uuid.uuid4())
            self.sent[self._unacknowledged] = f"{self.name} {len(self.sent) + 1}"
        key = self._unacknowledged
        payload = {"conversation": self.conversation, "content": self.sent[key], "client_id": key}
        answer = await asyncio.wait_for(socket.call("send_message", payload), self.patience)
        if answer["ok"]:
            self._unacknowledged = None
            self.acknowledged[key] = answer["message"]["seq"]
            if answer["message"]["client_id"] != key:
                self.problems.append(f"{self.name}: “{self.sent[key]}” was acknowledged as another message")
            if self.edits and len(self.sent) % self.edits == 0 and answer["message"]["seq"]:
                await self._edit(socket, key)
            await asyncio.sleep(self.pause)
        elif answer["error"]["code"] in PASSING:
            await asyncio.sleep(0.1)
        else:
            raise AssertionError(answer)

    async def _edit(self, socket: LoadSocket, key: str) -> None:
        self.unsure[key] = f"{self.sent[key]}, edited"
        payload = {"conversation": self.conversation, "seq": self.acknowledged[key], "content": self.unsure[key]}
        answer = await asyncio.wait_for(socket.call("edit_message", payload), self.patience)
        if answer["ok"]:
            self.edited[key] = self.unsure.pop(key)
        else:
            assert answer["error"]["code"] in PASSING, answer

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
            self.cursor = answer["to"] if answer["reset"] else max(self.cursor, answer["to"])
            self.epoch, more = answer["epoch"], answer["more"]

    def _hear(self, event: str, payload: Any) -> None:
        if event not in {"chat_message", "message_changed", "message_saved"}:
            return
        if payload["conversation"] != self.conversation:
            return
        message = payload["message"] if event == "message_saved" else payload
        if message is None:
            self.problems.append(f"{self.name} heard that {payload['client_id']} was refused: {payload['error']}")
            return
        self.heard.add(message["client_id"])
        if message["pending"]:
            return
        if event != "message_saved":
            self._check_order(event, message)
        if message["version"] == self.cursor + 1:
            self._draw(message)
            self.cursor += 1
        elif message["version"] > self.cursor:
            self._behind.set()

    def _check_order(self, event: str, message: dict[str, Any]) -> None:
        if message["version"] <= self._last_version:
            self.problems.append(f"{self.name} heard event {message['version']} after {self._last_version}")
        self._last_version = max(self._last_version, message["version"])
        if event == "chat_message":
            if message["client_id"] in self._heard_here:
                self.problems.append(f"{self.name} heard “{message['content']}” as new twice")
            self._heard_here.add(message["client_id"])

    def _draw(self, message: dict[str, Any]) -> None:
        row = Row(message["seq"], message["version"], message["client_id"], message["content"])
        known = self.seen.get(row.seq, row)
        if known.client_id != row.client_id:
            self.problems.append(f"{self.name} saw two messages with number {row.seq}")
        if known.version <= row.version:
            self.seen[row.seq] = row


@contextmanager
def talking(*talkers: Talker) -> Iterator[None]:
    """Let people talk while the block runs; afterwards they finish."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def all_talk() -> None:
        talks = asyncio.gather(*(talker.talk(stop) for talker in talkers))
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait([talks, stopping], return_when=asyncio.FIRST_COMPLETED)
        async with asyncio.timeout(120):
            await talks
            await asyncio.gather(*(talker.look_once_more() for talker in talkers))
        stopping.cancel()
        await asyncio.sleep(0.1)  # Closed sockets are let go of.

    task = loop.create_task(all_talk())
    thread = threading.Thread(target=loop.run_until_complete, args=(asyncio.wait([task]),))
    thread.start()
    end = stop.set
    try:
        yield
    except BaseException:
        end = task.cancel  # Nobody need finish: what went wrong is to be told.
        raise
    finally:
        loop.call_soon_threadsafe(end)
        thread.join()
        loop.close()
    task.result()


def audit(server: Server, *talkers: Talker) -> None:
    """Compare database, receivers and a fresh page with what was acknowledged: lost 0, doubled 0, out of order 0."""
    problems = [problem for talker in talkers for problem in talker.problems]
    for conversation in sorted({talker.conversation for talker in talkers}):
        here = [talker for talker in talkers if talker.conversation == conversation]
        stored = stored_rows(server, conversation)
        found = [
            *check_count(server, conversation, len(stored)),
            *check_numbers(stored),
            *(each for talker in here for each in check_talker(talker, stored)),
        ]
        if fresh_page(here[0].person, conversation) != [(row.seq, row.content) for row in stored]:
            found.append("a fresh page shows something else")
        problems += [f"{conversation} ({len(stored)} messages): {each}" for each in found]
    assert not problems, "\n".join(["the audit found:", *problems])
    assert all(talker.acknowledged for talker in talkers), "somebody said nothing: this proves nothing"


def conversation_id(conversation: str) -> int:
    """Give the number of a conversation."""
    return 1 if conversation == "general" else int(conversation.removeprefix("room_"))


def stored_rows(server: Server, conversation: str) -> list[Row]:
    """Give what the database has, in the order of the page."""
    number = conversation_id(conversation)
    query = f"SELECT seq, version, client_id, content FROM messages WHERE conversation_id = {number} ORDER BY seq"
    return [Row(seq, version, str(key), content) for seq, version, key, content in server.rows(query)]  # type: ignore[arg-type]


def check_count(server: Server, conversation: str, stored: int) -> Iterator[str]:
    """What the conversation says of how many messages it has is true."""
    query = f"SELECT message_count FROM conversations WHERE id = {conversation_id(conversation)}"
    ((counted,),) = server.rows(query)
    if counted != stored:
        yield f"{counted} messages are counted, and {stored} are there"


def check_numbers(stored: Sequence[Row]) -> Iterator[str]:
    """Each event has a number of its own, without holes (a message is edited once at the most)."""
    numbers = {row.seq for row in stored} | {row.version for row in stored}
    if holes := set(range(1, max(numbers, default=0) + 1)) - numbers:
        yield f"no event has the numbers {some(sorted(holes))}"
    times = Counter(row.client_id for row in stored)
    if doubled := [row.content for row in stored if times[row.client_id] > 1]:
        yield f"doubled: {some(doubled)}"


def check_talker(talker: Talker, stored: Sequence[Row]) -> Iterator[str]:
    """Tell what of one person's messages, and of what they saw, is not as the database has it."""
    rows = {row.client_id: row for row in stored}
    if lost := [talker.sent[key] for key in talker.acknowledged if key not in rows]:
        yield f"lost, though acknowledged: {some(lost)}"
    if unknown := talker.heard - rows.keys():
        yield f"{talker.name} heard {len(unknown)} messages that are not stored"
    mine = [row.client_id for row in stored if row.client_id in talker.sent]
    if mine != [key for key in talker.sent if key in rows]:
        yield f"out of order: {some([talker.sent[key] for key in mine])}"
    for key, row in ((key, rows[key]) for key in talker.sent if key in rows):
        if row.content not in {talker.edited.get(key, talker.sent[key]), talker.unsure.get(key)}:
            yield f"“{talker.sent[key]}” says “{row.content}”"
        if talker.acknowledged.get(key) not in {None, row.seq}:
            yield f"“{talker.sent[key]}” was acknowledged as number {talker.acknowledged[key]} and is {row.seq}"
    seen = [talker.seen[seq] for seq in sorted(talker.seen)]
    if talker.resets and stored and stored[-1].version < CATCH_UP_BOUND:
        yield f"{talker.name} was sent back to the last page {talker.resets} times"
    if seen != (list(stored[-len(seen) :]) if talker.resets else stored):
        missed = [row.content for row in stored if row not in seen]
        wrong = [row.content for row in seen if row not in stored]
        yield f"{talker.name} did not see {some(missed)}; saw otherwise {some(wrong)}"


def some(items: Sequence[object]) -> str:
    """Name a few of many."""
    shown = ", ".join(str(item) for item in items[:8])
    return f"{len(items)} ({shown}{' …' if len(items) > 8 else ''})" if items else "0"


def fresh_page(person: Person, conversation: str) -> list[tuple[int, str]]:
    """Read a conversation from its end to its beginning, as scrolling up does."""
    messages: list[tuple[int, str]] = []
    before = 10**15
    while True:
        page = person.get(f"/conversations/{conversation}/messages?before={before}").text
        found = re.findall(r'data-seq="(\d+)".*?class="message-body[^"]*">(.*?)</div>', page, re.DOTALL)
        messages = [(int(seq), unescape(body)) for seq, body in found] + messages
        if 'data-older="true"' not in page:
            return messages
        before = int(found[0][0])
