"""Delivers messages to outgoing webhooks, in the background."""

import hashlib
import hmac
import json
import time
from collections.abc import Sequence

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from chatapp.config import Settings
from chatapp.errors import ChatError
from chatapp.extensions import db
from chatapp.presentation.messages import present_message_data
from chatapp.signals import EXTENSION as SIGNALS
from chatapp.signals import Signals
from chatapp.supervision import OnFailure, Supervisor
from chatapp.timeline.signals import messages_stored
from chatapp.webhooks.client import DeliveryFailed, post
from chatapp.webhooks.queries import is_delivery_due
from chatapp.webhooks.service import Delivery, claim_deliveries, finish_attempt, queue_deliveries

log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
"""Interval between two checks for due deliveries."""


class WebhookSender:
    """Sends due deliveries, each at least once: a receiver recognises a repetition by `X-Chatapp-Delivery`."""

    def __init__(self, app: Flask, settings: Settings, supervisor: Supervisor) -> None:
        self._app = app
        self._supervisor = supervisor
        self._allow_private = settings.webhook_private_networks
        self._retry_seconds = settings.webhook_retry_seconds

    def run(self) -> None:
        """Send due deliveries, forever.

        Those that are due at the same time are sent at the same time, so that a slow receiver delays no other.
        """
        while True:
            deliveries = self._claim()
            threads = [
                self._supervisor.start("webhook deliveries", self._deliver, delivery, on_failure=OnFailure.LOG)
                for delivery in deliveries
            ]
            for thread in threads:
                thread.join()
            if not deliveries:
                time.sleep(POLL_SECONDS)

    def _claim(self) -> Sequence[Delivery]:
        try:
            with self._app.app_context():
                return claim_deliveries() if is_delivery_due(db.session()) else []
        except (ChatError, SQLAlchemyError) as error:
            log.info("webhook deliveries wait for the database", reason=str(error))
            return []

    def _deliver(self, delivery: Delivery) -> None:
        error = None
        try:
            with self._app.app_context():
                body = json.dumps({"message": present_message_data(delivery.message)}).encode()
            post(delivery.url, body, make_headers(delivery, body), allow_private=self._allow_private)
        except DeliveryFailed as failure:
            error = str(failure)
            log.info("webhook delivery failed", delivery=delivery.id, attempt=delivery.attempts, reason=error)
        try:
            with self._app.app_context():
                finish_attempt(delivery, error, retry_seconds=self._retry_seconds)
        except ChatError as not_stored:
            # It is sent again when its lease expires.
            log.warning("webhook delivery result not stored", delivery=delivery.id, reason=not_stored.message)


def make_headers(delivery: Delivery, body: bytes) -> dict[str, str]:
    """Return the headers of a delivery.

    The signature proves that this installation sent the body, and its timestamp that it is not an old request.
    """
    timestamp = str(int(time.time()))
    signature = hmac.new(delivery.secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return {
        "Content-Type": "application/json",
        "User-Agent": "chatapp",
        "X-Chatapp-Delivery": str(delivery.id),
        "X-Chatapp-Timestamp": timestamp,
        "X-Chatapp-Signature": f"sha256={signature.hexdigest()}",
    }


def init_webhooks(app: Flask) -> None:
    """Queue deliveries for all stored messages, including those that commands store."""
    signals: Signals = app.extensions[SIGNALS]
    signals.connect(messages_stored, queue_deliveries)
