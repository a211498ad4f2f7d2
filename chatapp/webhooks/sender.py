"""Sends what is on its way to webhooks."""

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
from chatapp.supervision import OnFailure, Supervisor
from chatapp.timeline.signals import messages_stored
from chatapp.webhooks.outside import Undelivered, post
from chatapp.webhooks.queries import is_delivery_due
from chatapp.webhooks.service import Delivery, queue_deliveries, settle_delivery, take_deliveries

log = structlog.get_logger(__name__)

PERIOD = 1.0
"""Seconds between two looks at what is due."""


class WebhookSender:
    """Delivers at least once: `X-Chatapp-Delivery` tells a second arrival from a first one."""

    def __init__(self, app: Flask, settings: Settings, supervisor: Supervisor) -> None:
        self._app = app
        self._supervisor = supervisor
        self._allows_private = settings.webhook_private_networks
        self._back_off = settings.webhook_retry_seconds

    def run(self) -> None:
        """Send what is due, for ever. What is due at one time is sent at once: a slow address holds up no other."""
        while True:
            deliveries = self._take()
            threads = [
                self._supervisor.start("webhook deliveries", self._deliver, each, on_failure=OnFailure.LOG)
                for each in deliveries
            ]
            for thread in threads:
                thread.join()
            if not deliveries:
                time.sleep(PERIOD)

    def _take(self) -> Sequence[Delivery]:
        try:
            with self._app.app_context():
                return take_deliveries() if is_delivery_due(db.session()) else []
        except (ChatError, SQLAlchemyError) as error:
            log.info("webhooks wait for the database", reason=str(error))
            return []

    def _deliver(self, delivery: Delivery) -> None:
        error = None
        try:
            with self._app.app_context():
                body = json.dumps({"message": present_message_data(delivery.message)}).encode()
            post(delivery.url, body, sign(delivery, body), allows_private=self._allows_private)
        except Undelivered as undelivered:
            error = str(undelivered)
            log.info("webhook not delivered", delivery=delivery.id, attempt=delivery.attempts, reason=error)
        try:
            with self._app.app_context():
                settle_delivery(delivery, error, back_off=self._back_off)
        except ChatError as unsettled:
            # The lease runs out, and it is sent again.
            log.warning("webhook delivery not settled", delivery=delivery.id, reason=unsettled.message)


def sign(delivery: Delivery, body: bytes) -> dict[str, str]:
    """Give the headers by which a receiver knows that `body` is from here, and not an old one sent again."""
    moment = str(int(time.time()))
    signature = hmac.new(delivery.secret.encode(), f"{moment}.".encode() + body, hashlib.sha256)
    return {
        "Content-Type": "application/json",
        "User-Agent": "chatapp",
        "X-Chatapp-Delivery": str(delivery.id),
        "X-Chatapp-Timestamp": moment,
        "X-Chatapp-Signature": f"sha256={signature.hexdigest()}",
    }


def init_webhooks() -> None:
    """Put messages on their way whoever stores them, be it the shell."""
    messages_stored.connect(queue_deliveries)
