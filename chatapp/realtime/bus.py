"""Messages between the processes of an installation, through Redis. Delivery is not guaranteed.

A lost message causes only a delay: the change is found in the database at the next event, heartbeat or check. While
Redis is unavailable each process works by itself. Publishing never blocks.
"""

import hashlib
import hmac
import json
import queue
import time
import uuid
from collections.abc import Callable
from typing import Any

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

SIGNATURE_CHARS = 64
"""Length of the signature, an HMAC-SHA-256 in hexadecimal digits, before each message."""

LOG_INTERVAL_SECONDS = 60.0
"""Minimum time between two log lines about invalid messages: others on the same Redis may send any number."""

Handler = Callable[[str, Any], None]
"""Called with the id of the sending process and the data."""


class InvalidSignature(Exception):
    """A message is not from a process of this installation."""


class Bus:
    """The connection of one process to the others of its installation, on a channel of the installation's own.

    Messages are signed, since everybody with access to Redis can publish on the channel.
    """

    def __init__(self, url: str, secret: str) -> None:
        self.process = uuid.uuid4().hex
        # All processes of an installation have its secret, and no other installation on the same Redis has.
        self._key = hashlib.sha256(f"bus {secret}".encode()).digest()
        self._channel = f"chatapp:{hashlib.sha256(secret.encode()).hexdigest()[:16]}"
        self._redis = Redis.from_url(
            url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
            decode_responses=True,
        )
        self._outgoing: queue.Queue[tuple[float, str]] = queue.Queue(MAX_QUEUED)
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
            message = json.dumps({"process": self.process, "kind": kind, "data": data})
            self._outgoing.put_nowait((time.monotonic(), self._sign(message) + message))
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
                queued_at, message = self._outgoing.get()
                if queued_at > time.monotonic() - MAX_AGE_SECONDS:
                    self._redis.publish(self._channel, message)
                    self._can_publish = True
        finally:
            self._can_publish = False

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

    def _sign(self, message: str) -> str:
        return hmac.digest(self._key, message.encode(), "sha256").hex()

    def _handle(self, text: str) -> None:
        try:
            signature, content = text[:SIGNATURE_CHARS], text[SIGNATURE_CHARS:]
            if not hmac.compare_digest(signature.encode(), self._sign(content).encode()):
                raise InvalidSignature
            message = json.loads(content)
            if message["process"] != self.process and message["kind"] in self._handlers:
                self._handlers[message["kind"]](message["process"], message["data"])
        except Exception as error:
            if time.monotonic() - self._logged_at >= LOG_INTERVAL_SECONDS:
                self._logged_at = time.monotonic()
                log.warning("message from another process failed", chars=len(text), reason=type(error).__name__)
