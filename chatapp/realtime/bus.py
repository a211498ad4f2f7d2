"""Messages between the processes of an installation, through Redis. Delivery is not guaranteed.

A lost message causes only a delay: the change is found in the database at the next event, heartbeat or check. While
Redis is unavailable each process works by itself. Publishing never blocks. All messages that wait are published as one
packet.
"""

import hashlib
import hmac
import queue
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson
import structlog
from redis import Redis, RedisError
from redis.client import PubSub

from chatapp.concurrency.supervision import Supervisor

log = structlog.get_logger(__name__)

MAX_QUEUED = 10_000
"""Maximum number of messages that wait to be published; more are discarded."""

RETRY_SECONDS = (0.2, 0.5, 1, 2, 5)
"""Pauses before successive attempts to reach Redis; the last one repeats."""

TIMEOUT_SECONDS = 5.0
"""Time after which a request to Redis fails."""

CONNECT_TIMEOUT_SECONDS = 2.0

MAX_AGE_SECONDS = 3.0
"""Age at which a message that waits to be published is discarded: Redis was unavailable meanwhile."""

MAX_PACKET_MESSAGES = 100
"""Maximum number of messages of one packet."""

SIGNATURE_BYTES = 32
"""Length of the signature with which each packet begins, an HMAC-SHA-256."""

PROCESS_BYTES = 16
"""Length of the id of the sending process, which follows the signature. The rest is a JSON array of the messages."""

LOG_INTERVAL_SECONDS = 60.0
"""Minimum time between two log lines about invalid messages: others on the same Redis may send any number."""

Handler = Callable[[str, Any], None]
"""Called with the id of the sending process and the data."""


class InvalidSignature(Exception):
    """A packet is not from a process of this installation."""


class Bus:
    """The connection of one process to the others of its installation, on a channel of the installation's own.

    Packets are signed, since everybody with access to Redis can publish on the channel.
    """

    def __init__(self, url: str, secret: str) -> None:
        self._process = uuid.uuid4().bytes
        # All processes of an installation have its secret, and no other installation on the same Redis has.
        self._key = hashlib.sha256(f"bus {secret}".encode()).digest()
        self._channel = f"chatapp:{hashlib.sha256(secret.encode()).hexdigest()[:16]}"
        self._redis = Redis.from_url(
            url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
        )
        self._outgoing: queue.Queue[tuple[float, bytes]] = queue.Queue(MAX_QUEUED)
        self._handlers: dict[str, Handler] = {}
        self._on_connected: list[Callable[[], None]] = []
        self._can_publish, self._can_receive = True, False
        self._logged_at = float("-inf")

    @property
    def is_connected(self) -> bool:
        """Whether the last message could be published, and this process receives what others publish."""
        return self._can_publish and self._can_receive

    def on(self, kind: str, handler: Handler) -> None:
        """Call `handler` for messages of a kind from other processes."""
        self._handlers[kind] = handler

    def on_connected(self, callback: Callable[[], None]) -> None:
        """Call `callback` whenever this process begins to receive, for the first time or again."""
        self._on_connected.append(callback)

    def publish(self, kind: str, data: object) -> None:
        """Queue a message for the other processes."""
        try:
            self._outgoing.put_nowait((time.monotonic(), orjson.dumps([kind, data])))
        except queue.Full:
            log.warning("message to other processes discarded: too many wait for redis", kind=kind)

    def start(self, supervisor: Supervisor) -> None:
        """Start to publish and to receive."""
        supervisor.start("bus publishing", self._retry_forever, self._publish_forever)
        supervisor.start("bus receiving", self._retry_forever, self._receive_forever)

    def _retry_forever(self, work: Callable[[], None]) -> None:
        failures = 0
        while True:
            started = time.monotonic()
            try:
                work()
            except (RedisError, OSError) as error:
                if time.monotonic() - started > RETRY_SECONDS[-1]:
                    failures = 0
                if failures == 0:
                    log.warning("redis is unavailable", reason=str(error))
                time.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
                failures += 1

    def _publish_forever(self) -> None:
        try:
            while True:
                if packet := self._take_packet():
                    self._redis.publish(self._channel, packet)
                    self._can_publish = True
        finally:
            self._can_publish = False

    def _take_packet(self) -> bytes:
        """Wait for a message, and return the packet with all that wait; empty if they are too old."""
        waiting = [self._outgoing.get()]
        with suppress(queue.Empty):
            while len(waiting) < MAX_PACKET_MESSAGES:
                waiting.append(self._outgoing.get_nowait())
        oldest = time.monotonic() - MAX_AGE_SECONDS
        messages = [message for queued_at, message in waiting if queued_at > oldest]
        content = self._process + b"[%s]" % b",".join(messages)
        return self._sign(content) + content if messages else b""

    def _receive_forever(self) -> None:
        try:
            with self._redis.pubsub() as subscription:  # type: ignore[no-untyped-call]  # the library's types end there
                self._receive(subscription)
        finally:
            self._can_receive = False

    def _receive(self, subscription: PubSub) -> None:
        subscription.subscribe(self._channel)
        while True:
            message = subscription.get_message(timeout=TIMEOUT_SECONDS / 2)
            if message is None:
                subscription.ping()
            elif message["type"] == "subscribe":
                log.info("redis is available")
                self._can_receive = True
                for callback in self._on_connected:
                    callback()
            elif message["type"] == "message":
                self._handle(message["data"])

    def _sign(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, "sha256")

    def _handle(self, packet: bytes) -> None:
        content = packet[SIGNATURE_BYTES:]
        process = content[:PROCESS_BYTES]
        if process == self._process:
            return  # Its own: Redis sends a packet to all that have subscribed.
        try:
            if not hmac.compare_digest(packet[:SIGNATURE_BYTES], self._sign(content)):
                raise InvalidSignature
            messages = [(kind, data) for kind, data in orjson.loads(content[PROCESS_BYTES:])]
        except Exception as error:
            self._log_failure(packet, error)
            return
        for kind, data in messages:
            try:
                if kind in self._handlers:
                    self._handlers[kind](process.hex(), data)
            except Exception as error:
                self._log_failure(packet, error)

    def _log_failure(self, packet: bytes, error: Exception) -> None:
        if time.monotonic() - self._logged_at >= LOG_INTERVAL_SECONDS:
            self._logged_at = time.monotonic()
            log.warning("message from another process failed", bytes=len(packet), reason=type(error).__name__)
