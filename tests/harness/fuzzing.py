"""Fuzzing: valid packets with other values or other bytes in them, and a client that sends them."""

import json
import random
import time
from collections.abc import Sequence
from itertools import cycle
from typing import Any

from tests.harness.abuse import (
    ABUSIVE_ADDRESS,
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    HandshakeRefused,
    RawSocket,
    frame,
)

KEY = "0e8a6c1e-7c0b-4f39-9d6b-0a1b2c3d4e5f"
PAYLOADS: dict[str, dict[str, Any]] = {
    "join_chat": {"conversation": "general", "after": 3, "epoch": "x"},
    "leave_chat": {"conversation": "general"},
    "send_message": {
        "conversation": "general",
        "content": "Good morning",
        "client_id": KEY,
        "metadata": {"a": [1]},
        "files": [],
    },
    "edit_message": {
        "conversation": "general",
        "seq": 1,
        "content": "Good evening",
        "metadata": {},
        "removed_files": [],
    },
    "delete_message": {"conversation": "general", "seq": 1},
    "undelete_message": {"conversation": "general", "seq": 1},
    "message_versions": {"conversation": "general", "seq": 1, "before": 3, "limit": 5},
    "pin_message": {"conversation": "general", "seq": 1, "on": True},
    "remove_previews": {"conversation": "general", "seq": 1, "url": "https://example.com/"},
    "save_message": {"conversation": "general", "seq": 1, "on": True},
    "saved_messages": {"conversation": "general"},
    "save_draft": {"conversation": "general", "content": "begun", "version": 0, "thread": None, "client_id": KEY},
    "draft": {"conversation": "general", "thread": 1},
    "react": {"conversation": "general", "seq": 1, "reaction": "👍", "on": True},
    "typing": {"conversation": "general", "thread": 1},
    "stop_answer": {"conversation": "assistant_1", "seq": 1},
    "answer_again": {"conversation": "assistant_1", "seq": 1},
    "presence": {"state": "online"},
    "mark_as_read": {"conversation": "general", "seq": 1},
    "mark_as_unread": {"conversation": "general", "seq": 1},
    "follow_thread": {"conversation": "general", "thread": 1, "on": True},
    "mark_thread_read": {"conversation": "general", "thread": 1, "seq": 2},
    "mark_thread_unread": {"conversation": "general", "thread": 1, "seq": 2},
    "schedule_message": {
        "conversation": "general",
        "content": "Later",
        "client_id": KEY,
        "due_at": "2000-01-01T09:00Z",
        "files": [],
    },
    "change_scheduled": {
        "id": 1,
        "content": "Even later",
        "due_at": "2000-01-02T09:00Z",
        "removed_files": [],
        "added_files": [],
    },
    "delete_scheduled": {"id": 1},
    "send_scheduled": {"id": 1},
    "remind_me": {"content": "Call", "client_id": KEY, "due_at": "2000-01-01T09Z", "conversation": "general", "seq": 1},
    "move_reminder": {"id": 1, "due_at": "2000-01-02T09:00Z"},
    "finish_reminder": {"id": 1},
    "create_upload": {"name": "photo.jpg", "size": 5},
    "run_command": {"conversation": "general", "content": "/topic new", "zone": "UTC"},
}
"""A valid payload of each event."""

PACKETS = [
    *(f"421{json.dumps([event, payload])}" for event, payload in PAYLOADS.items()),
    '42["typing",{"conversation":"general"}]',
    "40",
    '40{"user_id":3}',
    "41",
    "3",
    "1",
    "2probe",
    "5",
    "6",
    '431[{"ok":true}]',
    '44{"message":"no"}',
    '451-["send_message",{"_placeholder":true,"num":0}]',
    '42/admin,1["typing",{}]',
]
"""Packets of our pages, and packets that other applications allow."""

VALUES: Sequence[Any] = [
    *(None, True, False, 0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 10**80, 0.5, 1e308, -0.0),
    *("", " ", "general", "room_1", "room_", "room_-1", "direct_1", "assistant_1", "room_" + "9" * 40, KEY, "away"),
    *("nul \0", "half \ud800", "😀" * 50, "x" * 11_000, "<script>", "'; DROP TABLE users; --", "{{ 7*7 }}", "%s%n"),
    *(
        [{"upload": KEY, "alt": "A house"}],
        [{"upload": [KEY]}],
        [],
        {},
        [[]],
        [{"a": [None]}],
        {"": ""},
        {"conversation": {"conversation": "general"}},
        ["general"],
    ),
    *({"__proto__": 1}, {"_placeholder": True, "num": 0}, [[[[[[[[[[1]]]]]]]]]]),
]
TOKENS = [
    b"[",
    b"]",
    b"{",
    b"}",
    b'"',
    b",",
    b":",
    b"\\u",
    b"-",
    b"1e9",
    b"\0",
    b"\xff",
    b"\xc3",
    b"\x1e",
    b"45",
    b"/x,",
]


def fuzz_event(rng: random.Random, number: int) -> str:
    """Return an event with a known name and any payload. It has to be acknowledged under its number."""
    event, valid = rng.choice(list(PAYLOADS.items()))
    payload: Any = {name: rng.choice(VALUES) if rng.random() < 0.4 else value for name, value in valid.items()}
    if rng.random() < 0.2:
        payload.pop(rng.choice(list(payload)))
    if rng.random() < 0.1:
        payload[rng.choice(["seq", "other", ""])] = rng.choice(VALUES)
    if rng.random() < 0.1:
        payload = rng.choice(VALUES)
    arguments = [] if rng.random() < 0.02 else [payload] * rng.choice([1] * 20 + [2, 3])
    packet = f"42{number}{json.dumps([event, *arguments])}"
    # A packet that is too long closes the connection.
    return packet if len(packet) < 60_000 else f"42{number}{json.dumps([event])}"


def mutate_packet(rng: random.Random) -> bytes:
    """Return a valid packet with other bytes in it."""
    data = bytearray(rng.choice(PACKETS).encode())
    for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0:
                del data[at : at + rng.randint(1, 5)]
            case 1:
                data[at:at] = rng.choice(TOKENS) * rng.choice([1, 1, 2, 50])
            case 2:
                data[at : at + 1] = bytes((rng.randrange(256),))
            case 3:
                data[at:at] = data[: rng.randint(1, 20)]
            case 4:
                del data[at:]
            case _:
                data[at:at] = rng.randbytes(rng.randint(1, 4))
    return bytes(data)


def mutate_frame(rng: random.Random) -> bytes:
    """Return a frame with a mutated packet; one in four is not a valid frame."""
    data = mutate_packet(rng)
    if rng.random() < 0.75:
        return frame(data)
    return frame(
        data,
        opcode=rng.choice([CONTINUATION, TEXT, BINARY, 3, 7, CLOSE, PING, PONG, 11, 15]),
        fin=rng.random() < 0.7,
        reserved=rng.choice([0, 0, 1, 2, 4]),
        mask=rng.choice([None, rng.randbytes(4)]),
        claimed=rng.choice([None, None, len(data) + 1, 65_537, 2**31, 2**63]),
    )


class Fuzzer:
    """A client that sends fuzzed packets, and reconnects whenever the server closes the connection."""

    def __init__(
        self,
        url: str,
        cookies: Sequence[str],
        seed: object,
        *,
        addresses: Sequence[str] = (ABUSIVE_ADDRESS,),
        events: int = 20,
        mutants: int = 2,
    ) -> None:
        self._url = url
        self._cookies, self._addresses = cycle(cookies), cycle(addresses)
        self._rng = random.Random(repr(seed))
        self._counts = events, mutants
        self.handled = 0
        """Packets that the server has certainly processed: it has acknowledged them, or closed the connection."""
        self.opened = 0
        """Connections that the server has accepted."""
        self.closed = 0
        """Accepted connections that the server has closed."""
        self.silent: list[str] = []
        """Events that were not acknowledged although their connection is open."""
        self.refused = 0
        """Connections that the server has refused."""
        self._until = 0.0

    def stop(self) -> None:
        """Stop soon."""
        self._until = 0.0

    def run(self, until: float) -> None:
        """Send packets until a time of the monotonic clock."""
        self._until = until
        while time.monotonic() < self._until:
            try:
                connection = RawSocket.connect(
                    self._url, next(self._cookies), address=next(self._addresses), timeout=10
                )
            except HandshakeRefused:
                self.refused += 1
                time.sleep(0.2)
                continue
            except ConnectionError:
                continue
            self.opened += 1
            with connection:
                self._fuzz(connection)

    def _fuzz(self, connection: RawSocket) -> None:
        number = 0
        try:
            while time.monotonic() < self._until:
                events = {number + n: fuzz_event(self._rng, number + n) for n in range(1, self._counts[0] + 1)}
                number += len(events)
                connection.send_packets(*events.values())
                for event_number, event in events.items():
                    self._wait_for_ack(connection, event_number, event)
                    self.handled += 1
                mutants = [mutate_frame(self._rng) for _ in range(self._counts[1])]
                connection.send(b"".join(mutants))
                # After a frame that claims more bytes than it has, the server waits for the rest: it need not respond.
                number += 1
                connection.send_packets(f'42{number}["typing",{{}}]')
                if not self._responds(connection, number):
                    return
                self.handled += len(mutants)
        except ConnectionError:
            self.handled += 1
            self.closed += 1

    def _wait_for_ack(self, connection: RawSocket, number: int, event: str) -> None:
        try:
            connection.wait_for_ack(number)
        except TimeoutError:
            self.silent.append(event)
            raise ConnectionError from None

    def _responds(self, connection: RawSocket, number: int) -> bool:
        connection.set_timeout(0.5)
        try:
            connection.wait_for_ack(number)
        except TimeoutError:
            return False
        connection.set_timeout(10)
        return True
