"""Client ids: the UUIDs under which clients send messages, so that a repeated message is stored once."""

import re
from uuid import NAMESPACE_URL, UUID, uuid5

from chatapp.errors import Invalid

_CANONICAL = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

MAX_IDEMPOTENCY_KEY_CHARS = 255


def check_client_id(value: object) -> str:
    """Return a client id in its canonical form. Raises `Invalid` if it is not a UUID."""
    try:
        if isinstance(value, str):
            # Nearly all are canonical already. To parse one takes six times as long.
            return value if _CANONICAL.fullmatch(value) else str(UUID(value))
    except ValueError:
        pass
    raise Invalid("client_id must be a UUID such as “0e8a4ff2-3c1b-4a57-9d0e-5f2c8f0a1b2c”.")


def client_id_of(idempotency_key: str) -> str:
    """Return the client id for the value of a header `Idempotency-Key`: a UUID is kept, other text is hashed to one.

    Raises `Invalid` if the value is empty or too long.
    """
    # The draft of the standard has the value in quotation marks.
    key = idempotency_key.strip().removeprefix('"').removesuffix('"')
    if not 1 <= len(key) <= MAX_IDEMPOTENCY_KEY_CHARS:
        raise Invalid(f"Idempotency-Key must have 1 to {MAX_IDEMPOTENCY_KEY_CHARS} characters.")
    try:
        return str(UUID(key))
    except ValueError:
        return str(uuid5(NAMESPACE_URL, f"urn:chatapp:idempotency-key:{key}"))


def client_id_of_form(form_id: str, content: str) -> str:
    """Return the client id of what the form of a page posts.

    The browser may show a form again, after going back or in another tab. With another content it is another message.
    A `form_id` that is no UUID is returned as it is: `check_client_id` refuses it.
    """
    try:
        return str(uuid5(UUID(form_id), content))
    except ValueError:
        return form_id
