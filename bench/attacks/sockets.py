"""Attacks over WebSockets."""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle

from bench.attacks import texts
from bench.attacks.attack import RETRY_SECONDS, TIMEOUT_SECONDS, Attack, Client
from bench.installation import Installation
from bench.room import make_message
from tests.harness.abuse import BINARY, CONTINUATION, PING, HandshakeRefused, RawSocket, frame
from tests.harness.fuzzing import PAYLOADS, Fuzzer
from tests.harness.people import Person

FORGED = [
    '42["connect",{"user_id":1}]',
    '42["disconnect","transport close"]',
    '42["chat_message",{"conversation":"general","html":"<b>forged</b>"}]',
    '42["signed_out",{}]',
    '42["no_such_event",{}]',
    '42/admin,["typing",{}]',
]


class Packets(Attack):
    """Sends the same kind of data over each connection, waits for its end, and connects again."""

    def __init__(self, make: Callable[[random.Random], bytes], *, is_throttled: bool = False) -> None:
        self._make = make
        self._is_throttled = is_throttled
        """Whether the server slows the client down, which then stays connected, instead of disconnecting it."""

    def connect(self, client: Client, timeout: float) -> RawSocket:
        """Open a connection with a login session."""
        return client.connect_socket(timeout)

    def run(self, client: Client) -> None:
        """See `Attack`."""
        while (left := client.seconds_left) > 0:
            timeout = left if self._is_throttled else TIMEOUT_SECONDS
            try:
                with self.connect(client, timeout) as connection:
                    connection.send(self._make(client.rng))
                    client.outcome.closed += connection.is_closed_within(timeout)
            except HandshakeRefused:
                client.outcome.refused += 1
                time.sleep(RETRY_SECONDS)
            except (TimeoutError, ConnectionError):
                continue


class UnauthenticatedPackets(Packets):
    """Sends an event over connections without a login session."""

    def __init__(self) -> None:
        super().__init__(lambda _rng: frame('42["typing",{}]'))

    def connect(self, client: Client, timeout: float) -> RawSocket:
        """Open a connection without a login session."""
        connection = RawSocket(client.plan.url, address=client.address, timeout=timeout)
        client.outcome.opened += 1
        return connection


def _large_frames(_rng: random.Random) -> bytes:
    return frame(b"4" * 900_000) * 3


def _fragments(_rng: random.Random) -> bytes:
    return frame("4", fin=False) + frame(b"2", opcode=CONTINUATION, fin=False) * 1_100


def _forged(rng: random.Random) -> bytes:
    bad = [frame(f'42{n}["{event}",{{"conversation":5}}]') for n, event in enumerate(PAYLOADS)]
    return b"".join(rng.sample(bad, 5)) + frame(rng.choice(FORGED)) * 100


def _attachments(_rng: random.Random) -> bytes:
    return frame('4510000000-["send_message",{}]') + frame(b"x" * 60_000, opcode=BINARY) * 20


def _pings(_rng: random.Random) -> bytes:
    return frame(b"x" * 125, opcode=PING) * 100_000


class Fuzz(Attack):
    """Sends packets of chatapp's own clients with other values or other bytes in them."""

    def run(self, client: Client) -> None:
        """See `Attack`."""
        plan, outcome = client.plan, client.outcome
        seed = random.randrange(2**32)
        fuzzer = Fuzzer(plan.url, [client.cookie], seed, addresses=[client.address], events=plan.events)
        if plan.packets is not None:
            share = plan.packets // plan.threads
            threading.Thread(target=_stop_at, args=(fuzzer, share), daemon=True).start()
        fuzzer.run(client.until)
        outcome.opened, outcome.closed, outcome.refused = fuzzer.opened, fuzzer.closed, fuzzer.refused
        outcome.handled, outcome.silent = fuzzer.handled, len(fuzzer.silent)


def _stop_at(fuzzer: Fuzzer, packets: int) -> None:
    while fuzzer.handled < packets:
        time.sleep(0.1)
    fuzzer.stop()


class Calls(Attack):
    """Emits events that are expensive to handle, each after the acknowledgement of the one before."""

    threads = 2

    def payloads(self, client: Client) -> Sequence[tuple[str, Mapping[str, object]]]:
        """Return events with their payloads, which are emitted in turn."""
        raise NotImplementedError

    def run(self, client: Client) -> None:
        """See `Attack`."""
        events = cycle(self.payloads(client))
        while client.seconds_left > 0:
            try:
                with client.connect_socket(TIMEOUT_SECONDS) as connection:
                    while client.seconds_left > 0:
                        connection.call(*next(events))
                        client.outcome.handled += 1
            except (TimeoutError, ConnectionError):
                client.outcome.closed += 1


class Posts(Calls):
    """Posts texts that are expensive to render to the general chat."""

    def payloads(self, client: Client) -> Sequence[tuple[str, Mapping[str, object]]]:
        """See `Calls`."""
        # A text of its own for each message, so that no cache contains it.
        contents = (text[:-8] + f"{client.rng.randrange(10**7):08}" for text in texts.plain() * 20)
        return [("send_message", make_message("general", content)) for content in contents]


class CatchUps(Calls):
    """Requests the events of sessions with answers that are expensive to render."""

    def prepare(self, target: Installation, attackers: Sequence[Person]) -> Sequence[str]:
        """See `Attack`."""
        return [target.add_session(attackers[0], answers) for answers in texts.pages(texts.markdown())]

    def payloads(self, client: Client) -> Sequence[tuple[str, Mapping[str, object]]]:
        """See `Calls`."""
        return [("join_chat", {"conversation": conversation, "after": 0}) for conversation in client.plan.paths]


ATTACKS: Mapping[str, Attack] = {
    "900 KB frames": Packets(_large_frames),
    "1-byte fragments": Packets(_fragments, is_throttled=True),
    "forged events": Packets(_forged),
    "10,000,000 attachments": Packets(_attachments),
    "pings": Packets(_pings, is_throttled=True),
    "events without a login": UnauthenticatedPackets(),
    "posted links and mentions": Posts(),
    "catch-ups of Markdown": CatchUps(),
}
