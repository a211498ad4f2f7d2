"""What the processes of an installation tell each other, through Redis: news that may get lost.

Nothing depends on it. What is lost is found in the database a moment later, and while Redis is away each process goes
on by itself. Whoever publishes never waits.
"""

import hashlib
import json
import queue
import time
import uuid
from collections.abc import Callable
from typing import Any

import structlog
from redis import Redis, RedisError

from chatapp.supervision import Supervisor

log = structlog.get_logger(__name__)

BOUND = 10_000
"""What waits to be published at the most; beyond it something gets lost."""

PAUSES = (0.2, 0.5, 1, 2, 5)
"""Seconds before each attempt to reach Redis again; the last one repeats."""

TIMEOUT = 5.0
"""Seconds in which Redis has to answer."""

FRESH = 3.0
"""Seconds after which what waits to be published is no news any more: Redis was away meanwhile."""

Handler = Callable[[str, Any], None]
"""Called with the process that tells, and what it tells."""


class Bus:
    """One process' way to the others of its installation, on the installation's own channel."""

    def __init__(self, url: str, secret: str) -> None:
        self.process = uuid.uuid4().hex
        # All processes of an installation have its secret, and no other installation on the same Redis has.
        self._channel = f"chatapp:{hashlib.sha256(secret.encode()).hexdigest()[:16]}"
        self._redis = Redis.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=2, decode_responses=True)
        self._outgoing: queue.Queue[tuple[float, str]] = queue.Queue(BOUND)
        self._handlers: dict[str, Handler] = {}
        self._connected: list[Callable[[], None]] = []

    def on(self, kind: str, handler: Handler) -> None:
        """Let a function hear of what the others publish under `kind`."""
        self._handlers[kind] = handler

    def on_connected(self, told: Callable[[], None]) -> None:
        """Let a function know when this process hears the others, for the first time or again."""
        self._connected.append(told)

    def publish(self, kind: str, data: object) -> None:
        """Tell the others, if they can be told."""
        try:
            told = json.dumps({"process": self.process, "kind": kind, "data": data})
            self._outgoing.put_nowait((time.monotonic(), told))
        except queue.Full:
            log.warning("too much waits for redis: one wake-up is lost", kind=kind)

    def start(self, supervisor: Supervisor) -> None:
        """Start to publish and to receive."""
        supervisor.start("bus publishing", self._keep_at, self._speak)
        supervisor.start("bus receiving", self._keep_at, self._hear)

    def _keep_at(self, work: Callable[[], None]) -> None:
        failures = 0
        while True:
            begun = time.monotonic()
            try:
                work()
            except (RedisError, OSError) as error:
                if time.monotonic() - begun > PAUSES[-1]:
                    failures = 0
                if failures == 0:
                    log.warning("redis is away", reason=str(error))
                time.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
                failures += 1

    def _speak(self) -> None:
        while True:
            moment, told = self._outgoing.get()
            if moment > time.monotonic() - FRESH:
                self._redis.publish(self._channel, told)

    def _hear(self) -> None:
        with self._redis.pubsub() as subscription:  # type: ignore[no-untyped-call]  # the library's types end there
            subscription.subscribe(self._channel)
            while True:
                message = subscription.get_message(timeout=TIMEOUT / 2)
                if message is None:
                    subscription.ping()
                elif message["type"] == "subscribe":
                    log.info("redis is there")
                    for told in self._connected:
                        told()
                elif message["type"] == "message":
                    self._handle(message["data"])

    def _handle(self, text: str) -> None:
        try:
            told = json.loads(text)
            if told["process"] != self.process and told["kind"] in self._handlers:
                self._handlers[told["kind"]](told["process"], told["data"])
        except Exception as error:
            # Whoever reaches Redis can write there.
            log.warning("what was heard could not be handled", text=text[:100], reason=repr(error))
