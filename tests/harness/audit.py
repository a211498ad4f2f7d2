"""Check that no message is lost, duplicated or reordered: participants record what was acknowledged and received.

A participant behaves as the browser's page does: it sends a message again with the same `client_id` until it is
acknowledged, and only then the next one; it merges events by their versions, and catches up after a gap.
"""

import asyncio
import ssl
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from bench.sockets import LoadSocket
from chatapp.timeline.reading import MAX_CATCH_UP_EVENTS
from tests.harness.html import rendered_messages
from tests.harness.people import Person
from tests.harness.servers import Server
from tests.harness.waiting import eventually, scaled

TRANSIENT_ERRORS = {"busy", "unavailable", "internal"}
"""Error codes after which a message is sent again."""


SCHEDULED_SECONDS = 0.5
"""Time after which a scheduled message is due."""


class Row(NamedTuple):
    """The part of a message that must be the same everywhere."""

    seq: int
    version: int
    client_id: str
    content: str
    thread: int | None
    in_room: bool


@dataclass
class Participant:
    """A person who sends messages to one conversation."""

    person: Person
    conversation: str
    name: str
    pause: float = 0.02
    """Seconds between two messages."""
    url: str | None = None
    """The URL to connect to, if it is not the server's."""
    tls: ssl.SSLContext | None = None
    """The TLS context of connections, if the URL begins with `https`."""
    ack_timeout: float = 20.0
    """Seconds to wait for an ack before reconnecting, scaled by the machine's speed."""
    may_be_reset: bool = False
    """Whether the page may be replaced by the last messages: the epoch is renewed in the test, or the participant
    reconnects in an outage and lacks more than the process has in memory."""
    edit_every: int = 0
    """Edit one of so many messages after it was sent; 0 edits none."""
    reply_every: int = 0
    """Send one of so many messages as a reply in the thread of the message that was stored before; 0 sends none."""
    schedule_every: int = 0
    """Schedule a message after one of so many; 0 schedules none."""
    sent: dict[str, str] = field(default_factory=dict)
    """Contents by client id, in the order of sending."""
    acknowledged: dict[str, int | None] = field(default_factory=dict)
    """The acknowledged seq by client id; None if the message was pending."""
    edited: dict[str, str] = field(default_factory=dict)
    """New contents by client id, for edits that were acknowledged."""
    unconfirmed: dict[str, str] = field(default_factory=dict)
    """New contents by client id, for edits whose ack was not received: they may be stored or not."""
    scheduled: dict[str, str] = field(default_factory=dict)
    """Contents by client id, for scheduled messages that were acknowledged."""
    displayed: dict[int, Row] = field(default_factory=dict)
    """The messages that the page would show, by seq."""
    received: set[str] = field(default_factory=set)
    """Client ids of messages received as an event, pending or not."""
    cursor: int = 0
    epoch: str | None = None
    problems: list[str] = field(default_factory=list)
    resets: int = 0
    last_failure: str = ""
    """What was refused last, or why the connection ended: it explains why somebody sends nothing."""
    _behind: asyncio.Event = field(default_factory=asyncio.Event)
    _unacknowledged: str | None = None
    _thread: int | None = None
    """The thread of the message that is being sent."""
    _root: int | None = None
    """The last message that was stored in the room."""
    _last_version: int = 0
    _received_on_connection: set[str] = field(default_factory=set)

    async def run(self, stop: asyncio.Event) -> None:
        """Send messages until `stop`, then until the last one is acknowledged and all scheduled ones are displayed."""
        while not (stop.is_set() and self._is_complete()):
            try:
                socket = await asyncio.wait_for(self._connect(), scaled(self.ack_timeout))
            except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                self.last_failure = f"connecting: {error!r}"
                await asyncio.sleep(0.1)
                continue
            try:
                await self._catch_up(socket)
                while not (stop.is_set() and self._is_complete()):
                    if stop.is_set() and self._unacknowledged is None:
                        # Only scheduled messages are missing. Sending would schedule others.
                        await asyncio.sleep(self.pause)
                    else:
                        await self._send_next(socket)
                    if self._behind.is_set():
                        await self._catch_up(socket)
            except (TimeoutError, ConnectionError) as error:
                self.last_failure = f"connected: {error!r}"
            finally:
                socket.close()

    def _is_complete(self) -> bool:
        displayed = {row.client_id for row in self.displayed.values()}
        return self._unacknowledged is None and self.scheduled.keys() <= displayed

    async def catch_up(self) -> None:
        """Connect once more, and fetch the last messages of the others."""
        socket = await self._connect()
        await self._catch_up(socket)
        socket.close()

    async def _connect(self) -> LoadSocket:
        self._last_version, self._received_on_connection = 0, set()
        return await LoadSocket.connect(self.url or self.person.server.url, self.person.cookie, self._receive, self.tls)

    async def _send_next(self, socket: LoadSocket) -> None:
        if self._unacknowledged is None:
            self._unacknowledged = str(uuid.uuid4())
            self.sent[self._unacknowledged] = f"{self.name} {len(self.sent) + 1}"
            is_reply = self.reply_every and len(self.sent) % self.reply_every == 0
            self._thread = self._root if is_reply else None
        key = self._unacknowledged
        payload: dict[str, object] = {"conversation": self.conversation, "content": self.sent[key], "client_id": key}
        if self._thread is not None:
            payload |= {"thread": self._thread, "also_in_room": len(self.sent) % 2 == 0}
        ack = await asyncio.wait_for(socket.call("send_message", payload), scaled(self.ack_timeout))
        if ack["ok"]:
            self._unacknowledged = None
            self.acknowledged[key] = ack["message"]["seq"]
            if ack["message"]["client_id"] != key:
                self.problems.append(f"{self.name}: “{self.sent[key]}” was acknowledged as another message")
            if self._thread is None and ack["message"]["seq"]:
                self._root = ack["message"]["seq"]
            if self.edit_every and len(self.sent) % self.edit_every == 0 and ack["message"]["seq"]:
                await self._edit(socket, key)
            if self.schedule_every and len(self.sent) % self.schedule_every == 0:
                await self._schedule(socket)
            await asyncio.sleep(self.pause)
        elif ack["error"]["code"] in TRANSIENT_ERRORS:
            self.last_failure = f"send_message: {ack['error']}"
            await asyncio.sleep(0.1)
        else:
            raise AssertionError(ack)

    async def _schedule(self, socket: LoadSocket) -> None:
        key, content = str(uuid.uuid4()), f"{self.name}, scheduled after {len(self.sent)}"
        due_at = datetime.now(UTC) + timedelta(seconds=SCHEDULED_SECONDS)
        payload = {"conversation": self.conversation, "content": content, "client_id": key, "due_at": str(due_at)}
        ack = await asyncio.wait_for(socket.call("schedule_message", payload), scaled(self.ack_timeout))
        if ack["ok"]:
            self.scheduled[key] = content
        else:
            assert ack["error"]["code"] in TRANSIENT_ERRORS, ack

    async def _edit(self, socket: LoadSocket, key: str) -> None:
        self.unconfirmed[key] = f"{self.sent[key]}, edited"
        payload = {"conversation": self.conversation, "seq": self.acknowledged[key], "content": self.unconfirmed[key]}
        ack = await asyncio.wait_for(socket.call("edit_message", payload), scaled(self.ack_timeout))
        if ack["ok"]:
            self.edited[key] = self.unconfirmed.pop(key)
        else:
            assert ack["error"]["code"] in TRANSIENT_ERRORS, ack

    async def _catch_up(self, socket: LoadSocket) -> None:
        more = True
        while more:
            self._behind.clear()
            payload = {"conversation": self.conversation, "after": self.cursor, "epoch": self.epoch}
            ack = await asyncio.wait_for(socket.call("join_chat", payload), scaled(self.ack_timeout))
            if not ack["ok"]:
                self.last_failure = f"join_chat: {ack['error']}"
                await asyncio.sleep(0.2)
                continue
            if ack["reset"]:
                self.displayed.clear()
                self.resets += 1
                # A database that lacks events assigns their numbers again.
                self._last_version = min(self._last_version, ack["to"])
            for message in ack["messages"]:
                self._display(message)
            self.cursor = ack["to"] if ack["reset"] else max(self.cursor, ack["to"])
            self.epoch, more = ack["epoch"], ack["more"]

    def _receive(self, event: str, payload: Any) -> None:
        if event == "heads" and payload["epoch"] != self.epoch:
            self._behind.set()
        if event not in {"chat_message", "message_changed", "message_saved"}:
            return
        if payload["conversation"] != self.conversation:
            return
        message = payload["message"] if event == "message_saved" else payload
        if message is None:
            self.problems.append(f"{self.name} received the rejection of {payload['client_id']}: {payload['error']}")
            return
        self.received.add(message["client_id"])
        if message["pending"]:
            return
        if event != "message_saved":
            self._check_order(event, message)
        if message["version"] == self.cursor + 1:
            self._display(message)
            self.cursor += 1
        elif message["version"] > self.cursor:
            self._behind.set()

    def _check_order(self, event: str, message: dict[str, Any]) -> None:
        if message["version"] <= self._last_version:
            self.problems.append(f"{self.name} received event {message['version']} after {self._last_version}")
        self._last_version = max(self._last_version, message["version"])
        if event == "chat_message":
            if message["client_id"] in self._received_on_connection:
                self.problems.append(f"{self.name} received “{message['content']}” as new twice")
            self._received_on_connection.add(message["client_id"])

    def _display(self, message: dict[str, Any]) -> None:
        row = Row(*(message[name] for name in Row._fields))
        known = self.displayed.get(row.seq, row)
        if known.client_id != row.client_id:
            self.problems.append(f"{self.name} received two messages with seq {row.seq}")
        if known.version <= row.version:
            self.displayed[row.seq] = row


@contextmanager
def chatting(*participants: Participant) -> Iterator[None]:
    """Run participants while the block runs; at its end wait until they have finished."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run_all() -> None:
        runs = asyncio.gather(*(participant.run(stop) for participant in participants))
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait([runs, stopping], return_when=asyncio.FIRST_COMPLETED)  # type: ignore[type-var]
            async with asyncio.timeout(scaled(120)):
                await runs
                await asyncio.gather(*(participant.catch_up() for participant in participants))
        finally:
            stopping.cancel()
            runs.cancel()
            await asyncio.sleep(0.1)  # The loop finishes the cancelled tasks and the closing of sockets.

    task = loop.create_task(run_all())
    thread = threading.Thread(target=loop.run_until_complete, args=(asyncio.wait([task]),))
    thread.start()
    end: Callable[[], object] = stop.set
    try:
        yield
    except BaseException:
        end = task.cancel  # Report what failed without waiting for the participants.
        raise
    finally:
        loop.call_soon_threadsafe(end)
        thread.join()
        loop.close()
    task.result()


def wait_until_all_have_sent(participants: Sequence[Participant], timeout: float = 20) -> None:
    """Wait until everybody has sent two more messages: one of them since now."""
    wanted = [(participant, len(participant.acknowledged) + 2) for participant in participants]

    def list_waiting() -> list[str]:
        return [f"{each.name}: {each.last_failure}" for each, count in wanted if len(each.acknowledged) < count]

    try:
        eventually(lambda: not list_waiting(), "all have sent messages", timeout=timeout)
    except AssertionError as error:
        error.add_note("\n".join(["these have not:", *list_waiting()]))
        raise


def audit(server: Server, *participants: Participant) -> None:
    """Fail if the database, a participant or a fresh page differs from what was acknowledged."""
    problems = [problem for participant in participants for problem in participant.problems]
    for conversation in sorted({participant.conversation for participant in participants}):
        members = [participant for participant in participants if participant.conversation == conversation]
        stored = stored_rows(server, conversation)
        found = [
            *check_count(server, conversation, len(stored)),
            *check_numbers(stored),
            *check_threads(server, conversation, stored),
            *(problem for participant in members for problem in check_participant(participant, stored)),
        ]
        if fresh_page(members[0].person, conversation) != [(row.seq, row.content) for row in stored if row.in_room]:
            found.append("a fresh page differs from the database")
        problems += [f"{conversation} ({len(stored)} messages): {problem}" for problem in found]
    assert not problems, "\n".join(["the audit failed:", *problems])
    assert all(participant.acknowledged for participant in participants), (
        "a participant sent nothing: the test proves nothing"
    )


def audit_index(server: Server) -> None:
    """Fail if the search index of a running server does not have exactly the messages that are stored.

    It may still index what it has found at its start.
    """
    query = "SELECT position FROM message_search_state"
    eventually(lambda: server.rows(query) == [(0,)], "the search index is filled", timeout=60)
    assert "The search index is consistent." in server.flask("search", "check")


def conversation_id(conversation: str) -> int:
    """Return the id of a conversation."""
    return 1 if conversation == "general" else int(conversation.removeprefix("room_"))


def stored_rows(server: Server, conversation: str) -> list[Row]:
    """Return the messages in the database, in the order of the page."""
    number = conversation_id(conversation)
    columns = "seq, version, client_id, content, thread_root, is_in_room"
    query = f"SELECT {columns} FROM messages WHERE conversation_id = {number} ORDER BY seq"
    return [
        Row(seq, version, str(key), content, thread, bool(in_room))  # type: ignore[arg-type]
        for seq, version, key, content, thread, in_room in server.rows(query)
    ]


def check_count(server: Server, conversation: str, stored: int) -> Iterator[str]:
    """Check the conversation's count of messages."""
    query = f"SELECT message_count FROM conversations WHERE id = {conversation_id(conversation)}"
    ((counted,),) = server.rows(query)
    if counted != stored:
        yield f"message_count is {counted}, and {stored} messages are stored"


def check_numbers(stored: Sequence[Row]) -> Iterator[str]:
    """Check that events are numbered without gaps and duplicates (a message is edited at most once).

    The root of a thread changes with each reply, and has only the last of these numbers.
    """
    numbers = {row.seq for row in stored} | {row.version for row in stored}
    gaps = set(range(1, max(numbers, default=0) + 1)) - numbers
    if len(gaps) > sum(row.thread is not None for row in stored):
        yield f"no event has the versions {format_some(sorted(gaps))}"
    counts = Counter(row.client_id for row in stored)
    if duplicates := [row.content for row in stored if counts[row.client_id] > 1]:
        yield f"duplicated: {format_some(duplicates)}"


def check_threads(server: Server, conversation: str, stored: Sequence[Row]) -> Iterator[str]:
    """Check that each thread has the number of its replies and the last one, and that its root exists and is none."""
    replies: dict[int, list[int]] = {}
    for row in stored:
        if row.thread is not None:
            replies.setdefault(row.thread, []).append(row.seq)
    number = conversation_id(conversation)
    query = f"SELECT root_seq, reply_count, last_seq FROM threads WHERE conversation_id = {number}"
    counted = {root: (count, last) for root, count, last in server.rows(query)}
    if counted != {root: (len(seqs), seqs[-1]) for root, seqs in replies.items()}:
        yield f"threads are {counted}, and their replies are {replies}"
    if wrong := replies.keys() - {row.seq for row in stored if row.thread is None}:
        yield f"threads begin with no message of the room: {format_some(sorted(wrong))}"


def check_participant(participant: Participant, stored: Sequence[Row]) -> Iterator[str]:
    """Check that the messages one participant sent, and those it received, agree with the database."""
    rows = {row.client_id: row for row in stored}
    if lost := [participant.sent[key] for key in participant.acknowledged if key not in rows]:
        yield f"acknowledged and lost: {format_some(lost)}"
    if lost := [content for key, content in participant.scheduled.items() if key not in rows]:
        yield f"scheduled and not sent: {format_some(lost)}"
    if unknown := participant.received - rows.keys():
        yield f"{participant.name} received {len(unknown)} messages that are not stored"
    own = [row.client_id for row in stored if row.client_id in participant.sent]
    if own != [key for key in participant.sent if key in rows]:
        yield f"out of order: {format_some([participant.sent[key] for key in own])}"
    for key, row in ((key, rows[key]) for key in participant.sent if key in rows):
        if row.content not in {participant.edited.get(key, participant.sent[key]), participant.unconfirmed.get(key)}:
            yield f"“{participant.sent[key]}” is stored as “{row.content}”"
        if participant.acknowledged.get(key) not in {None, row.seq}:
            yield f"“{participant.sent[key]}” was acknowledged as {participant.acknowledged[key]} and is {row.seq}"
    displayed = [participant.displayed[seq] for seq in sorted(participant.displayed)]
    if participant.resets and not participant.may_be_reset and stored and stored[-1].version < MAX_CATCH_UP_EVENTS:
        yield f"{participant.name} was reset to the last page {participant.resets} times"
    if displayed != (list(stored[-len(displayed) :]) if participant.resets else stored):
        missed = [row.content for row in stored if row not in displayed]
        wrong = [row.content for row in displayed if row not in stored]
        yield f"{participant.name} missed {format_some(missed)}; displayed wrongly {format_some(wrong)}"


def format_some(items: Sequence[object]) -> str:
    """Format a count and the first few items."""
    shown = ", ".join(str(item) for item in items[:8])
    return f"{len(items)} ({shown}{' …' if len(items) > 8 else ''})" if items else "0"


def fresh_page(person: Person, conversation: str) -> list[tuple[int, str]]:
    """Load a conversation from its end to its beginning, as scrolling up does."""
    messages: list[tuple[int, str]] = []
    before = 10**15
    while True:
        page = person.get(f"/conversations/{conversation}/messages?before={before}").text
        older = rendered_messages(page)
        messages = older + messages
        if 'data-older="true"' not in page:
            return messages
        before = older[0][0]
