"""Signatures of deliveries, by which a receiver verifies that this installation sent them."""

import base64
import hashlib
import hmac
import secrets
import time

_PREFIX = "whsec_"


def new_secret() -> str:
    """Return a secret for an outgoing webhook, in the form that libraries for Standard Webhooks expect."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def make_headers(secret: str, delivery_id: int, body: bytes) -> dict[str, str]:
    """Return the headers of a delivery.

    The signature proves that this installation sent the id and the body, and its timestamp that it is not an old
    request. `Webhook-…` are the headers of Standard Webhooks (https://www.standardwebhooks.com). `X-Chatapp-…` are the
    former ones; their signature does not cover the id.
    """
    timestamp = str(int(time.time()))
    signed = f"{timestamp}.".encode() + body
    # Older secrets are hexadecimal, which is Base64 as well.
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signature = base64.b64encode(_sign(key, f"{delivery_id}.".encode() + signed)).decode()
    return {
        "Content-Type": "application/json",
        "User-Agent": "chatapp",
        "Webhook-Id": str(delivery_id),
        "Webhook-Timestamp": timestamp,
        "Webhook-Signature": f"v1,{signature}",
        "X-Chatapp-Delivery": str(delivery_id),
        "X-Chatapp-Timestamp": timestamp,
        "X-Chatapp-Signature": f"sha256={_sign(secret.encode(), signed).hex()}",
    }


def _sign(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, hashlib.sha256)
