"""Delivers messages to outgoing webhooks, in the background."""

import json
import threading
import time
from collections.abc import Sequence

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from chatapp.concurrency.supervision import OnFailure, Supervisor
from chatapp.config import Settings
from chatapp.errors import ChatError
from chatapp.extensions import db
from chatapp.http_client import RequestFailed
from chatapp.presentation.messages import present_message_data
from chatapp.signals import EXTENSION as SIGNALS
from chatapp.signals import Signals
from chatapp.storage import log_database_error
from chatapp.timeline.signals import messages_stored
from chatapp.webhooks.client import post
from chatapp.webhooks.queries import DueDelivery, is_delivery_due, list_due_deliveries
from chatapp.webhooks.service import Delivery, claim_deliveries, finish_attempt, queue_deliveries
from chatapp.webhooks.signing import make_headers

log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
"""Interval between two checks for due deliveries. The end of a delivery wakes the sender earlier."""

MIN_CLAIM_SECONDS = 0.1
"""Minimum time between two claims, so that deliveries that end together are claimed together."""

SLOW_SECONDS = 2.0
"""Duration of a delivery after which its webhook counts as slow."""


class WebhookSender:
    """Sends due deliveries, each at least once: a receiver recognises a repetition by `Webhook-Id`.

    A slow receiver delays no other. Each webhook has one delivery at a time, in the order in which they become due. All
    webhooks whose last delivery was slow share half of the threads, and those of one creator a quarter.
    """

    def __init__(self, app: Flask, settings: Settings, supervisor: Supervisor) -> None:
        self._app = app
        self._supervisor = supervisor
        self._settings = settings
        self._wake = threading.Event()
        self._busy: dict[int, int] = {}
        """The owners of the webhooks to which a delivery is being sent, by the ids of these webhooks."""
        self._slow: set[int] = set()
        """The webhooks whose last delivery took longer than `SLOW_SECONDS`."""

    def run(self) -> None:
        """Send due deliveries, forever."""
        while True:
            self._wake.clear()
            for delivery, owner in self._claim():
                self._start(delivery, owner)
            self._wake.wait(POLL_SECONDS)
            time.sleep(MIN_CLAIM_SECONDS)

    def _start(self, delivery: Delivery, owner: int) -> None:
        self._busy[delivery.webhook_id] = owner
        try:
            self._supervisor.start("webhook deliveries", self._deliver, delivery, on_failure=OnFailure.LOG)
        except BaseException:
            # It is sent again when its lease expires.
            del self._busy[delivery.webhook_id]
            raise

    def _claim(self) -> Sequence[tuple[Delivery, int]]:
        """Claim as many deliveries as there are free threads, at most one for each webhook. Return their owners too."""
        with self._app.app_context():
            try:
                due = self._list_due() if is_delivery_due(db.session()) else []
                claimed = claim_deliveries([each.id for each in due]) if due else []
                # It fails if the database has closed the connection. The end of the context would do it too late.
                db.session.rollback()
            except (ChatError, SQLAlchemyError) as error:
                log_database_error(error, work="webhooks")
                return []
        owners = {each.webhook_id: each.owner for each in due}
        return [(delivery, owners[delivery.webhook_id]) for delivery in claimed]

    def _list_due(self) -> Sequence[DueDelivery]:
        session, limit = db.session(), self._settings.max_concurrent_deliveries
        limit_per_owner = max(1, limit // 4)
        free = limit - len(self._busy)
        due = list_due_deliveries(
            session, limit=free, limit_per_owner=limit_per_owner, busy=self._busy, without=self._slow
        )
        free_for_slow = min(free - len(due), limit // 2 - len(self._busy.keys() & self._slow))
        if self._slow and free_for_slow > 0:
            busy = self._busy | {each.webhook_id: each.owner for each in due}
            slow = list_due_deliveries(
                session, limit=free_for_slow, limit_per_owner=limit_per_owner, busy=busy, only=self._slow
            )
            due = [*due, *slow]
        return due

    def _deliver(self, delivery: Delivery) -> None:
        started = time.monotonic()
        try:
            self._send(delivery)
        finally:
            if time.monotonic() - started > SLOW_SECONDS:
                self._slow.add(delivery.webhook_id)
            else:
                self._slow.discard(delivery.webhook_id)
            del self._busy[delivery.webhook_id]
            self._wake.set()

    def _send(self, delivery: Delivery) -> None:
        error, settings = None, self._settings
        try:
            with self._app.app_context():
                body = json.dumps(_present(delivery)).encode()
            post(
                delivery.url,
                body,
                make_headers(delivery.secret, delivery.id, body),
                allow_private=settings.webhook_private_networks,
                own_hosts=settings.own_host_names,
                timeout_seconds=settings.webhook_timeout_seconds,
            )
        except RequestFailed as failure:
            error = str(failure)
            log.info("webhook delivery failed", delivery=delivery.id, attempt=delivery.attempts, reason=error)
        with self._app.app_context():
            try:
                finish_attempt(delivery, error, retry_seconds=settings.webhook_retry_seconds)
            except ChatError as not_stored:
                # It is sent again when its lease expires.
                log_database_error(not_stored, work="webhooks", delivery=delivery.id)


def _present(delivery: Delivery) -> dict[str, object]:
    """Return the body of a delivery."""
    body: dict[str, object] = {"message": present_message_data(delivery.message)}
    if delivery.command is None:
        return body
    return body | {"command": f"/{delivery.command.name}", "text": delivery.command.argument}


def init_webhooks(app: Flask) -> None:
    """Queue deliveries for all stored messages, including those that commands store."""
    signals: Signals = app.extensions[SIGNALS]
    signals.connect(messages_stored, queue_deliveries)
