"""Packets that nobody would send: valid ones with other values in them, and valid ones with other bytes in them."""

import json
import random
import time
from collections.abc import Sequence
from itertools import cycle
from typing import Any

from tests.harness.hostile import AWAY, BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, NotAdmitted, RawSocket, frame

KEY = "0e8a6c1e-7c0b-4f39-9d6b-0a1b2c3d4e5f"
PAYLOADS: dict[str, dict[str, Any]] = {
    "join_chat": {"conversation": "general", "after": 3, "epoch": "x"},
    "leave_chat": {"conversation": "general"},
    "send_message": {"conversation": "general", "content": "Good morning", "client_id": KEY},
    "edit_message": {"conversation": "general", "seq": 1, "content": "Good evening"},
    "delete_message": {"conversation": "general", "seq": 1},
    "react": {"conversation": "general", "seq": 1, "reaction": "👍", "on": True},
    "typing": {"conversation": "general"},
    "stop_answer": {"conversation": "assistant_1", "seq": 1},
    "answer_again": {"conversation": "assistant_1", "seq": 1},
    "presence": {"state": "online"},
    "mark_as_read": {"conversation": "general", "seq": 1},
    "mark_as_unread": {"conversation": "general", "seq": 1},
}
"""What each event carries."""

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
"""What a client says, and what it might say in another application."""

VALUES: Sequence[Any] = [
    *(None, True, False, 0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 10**80, 0.5, 1e308, -0.0),
    *("", " ", "general", "room_1", "room_", "room_-1", "direct_1", "assistant_1", "room_" + "9" * 40, KEY, "away"),
    *("nul \0", "half \ud800", "😀" * 50, "x" * 11_000, "<script>", "'; DROP TABLE users; --", "{{ 7*7 }}", "%s%n"),
    *([], {}, [[]], [{"a": [None]}], {"": ""}, {"conversation": {"conversation": "general"}}, ["general"]),
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


def odd_event(chance: random.Random, number: int) -> str:
    """Make an event of a known name, with any payload. It is to be acknowledged under its number."""
    event, valid = chance.choice(list(PAYLOADS.items()))
    payload: Any = {name: chance.choice(VALUES) if chance.random() < 0.4 else value for name, value in valid.items()}
    if chance.random() < 0.2:
        payload.pop(chance.choice(list(payload)))
    if chance.random() < 0.1:
        payload[chance.choice(["seq", "other", ""])] = chance.choice(VALUES)
    if chance.random() < 0.1:
        payload = chance.choice(VALUES)
    arguments = [] if chance.random() < 0.02 else [payload] * chance.choice([1] * 20 + [2, 3])
    packet = f"42{number}{json.dumps([event, *arguments])}"
    # What is too long is another matter: it ends the connection.
    return packet if len(packet) < 60_000 else f"42{number}{json.dumps([event])}"


def mutant(chance: random.Random) -> bytes:
    """Make a valid packet with other bytes in it."""
    data = bytearray(chance.choice(PACKETS).encode())
    for _ in range(chance.choice([1, 1, 1, 2, 3, 8])):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0:
                del data[at : at + chance.randint(1, 5)]
            case 1:
                data[at:at] = chance.choice(TOKENS) * chance.choice([1, 1, 2, 50])
            case 2:
                data[at : at + 1] = bytes((chance.randrange(256),))
            case 3:
                data[at:at] = data[: chance.randint(1, 20)]
            case 4:
                del data[at:]
            case _:
                data[at:at] = chance.randbytes(chance.randint(1, 4))
    return bytes(data)


def mutant_frame(chance: random.Random) -> bytes:
    """Make a frame around a mutant; one in four is none that WebSocket knows."""
    data = mutant(chance)
    if chance.random() < 0.75:
        return frame(data)
    return frame(
        data,
        opcode=chance.choice([CONTINUATION, TEXT, BINARY, 3, 7, CLOSE, PING, PONG, 11, 15]),
        fin=chance.random() < 0.7,
        reserved=chance.choice([0, 0, 1, 2, 4]),
        mask=chance.choice([None, chance.randbytes(4)]),
        claimed=chance.choice([None, None, len(data) + 1, 65_537, 2**31, 2**63]),
    )


class Fuzzer:
    """Somebody who says what nobody would, and comes back whenever the server has ended the connection."""

    def __init__(
        self,
        url: str,
        cookies: Sequence[str],
        seed: object,
        *,
        addresses: Sequence[str] = (AWAY,),
        events: int = 20,
        mutants: int = 2,
    ) -> None:
        self._url = url
        self._cookies, self._addresses = cycle(cookies), cycle(addresses)
        self._chance = random.Random(repr(seed))
        self._counts = events, mutants
        self.handled = 0
        """Packets of which it is known that the server has seen them: it has answered them, or ended the connection."""
        self.opened = 0
        """Connections that the server has let in."""
        self.ended = 0
        """Those of them that it has ended."""
        self.silent: list[str] = []
        """Events that were not acknowledged, though their connection stands."""
        self.refused = 0
        """Connections that the server has not let in."""
        self._until = 0.0

    def stop(self) -> None:
        """End soon."""
        self._until = 0.0

    def run(self, until: float) -> None:
        """Go on until a time of the monotonic clock."""
        self._until = until
        while time.monotonic() < self._until:
            try:
                connection = RawSocket.enter(self._url, next(self._cookies), address=next(self._addresses), patience=10)
            except NotAdmitted:
                self.refused += 1
                time.sleep(0.2)
                continue
            except ConnectionError:
                continue
            self.opened += 1
            with connection:
                self._visit(connection)

    def _visit(self, connection: RawSocket) -> None:
        number = 0
        try:
            while time.monotonic() < self._until:
                events = {number + n: odd_event(self._chance, number + n) for n in range(1, self._counts[0] + 1)}
                number += len(events)
                connection.say(*events.values())
                for each, event in events.items():
                    self._await(connection, each, event)
                    self.handled += 1
                mutants = [mutant_frame(self._chance) for _ in range(self._counts[1])]
                connection.send(b"".join(mutants))
                # A frame that claims more than it has waits for the rest: this is not silence.
                number += 1
                connection.say(f'42{number}["typing",{{}}]')
                if not self._hears(connection, number):
                    return
                self.handled += len(mutants)
        except ConnectionError:
            self.handled += 1
            self.ended += 1

    def _await(self, connection: RawSocket, number: int, event: str) -> None:
        try:
            connection.answer(number)
        except TimeoutError:
            self.silent.append(event)
            raise ConnectionError from None

    def _hears(self, connection: RawSocket, number: int) -> bool:
        connection.patience(0.5)
        try:
            connection.answer(number)
        except TimeoutError:
            return False
        connection.patience(10)
        return True
