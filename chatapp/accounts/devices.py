"""Device cookies (OWASP): they mark a browser in which a user has signed in before, also after signing out.

They grant nothing but a limit of their own for failed sign-ins: see `chatapp.passwords.attempts`.
"""

import secrets
from datetime import timedelta

from flask import after_this_request, current_app, request
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.wrappers import Response

from chatapp.config import current_settings
from chatapp.security import cookie_name

DEVICE_COOKIE = "chatapp_device"
DEVICE_COOKIE_DURATION = timedelta(days=365)


def remember_device(username: str) -> None:
    """Mark the browser of the current request as one in which this user has signed in."""
    settings = current_settings()
    name = cookie_name(DEVICE_COOKIE, settings)
    value = _serializer().dumps([username, secrets.token_hex(16)])

    @after_this_request
    def set_cookie(response: Response) -> Response:
        response.set_cookie(
            name,
            value,
            max_age=DEVICE_COOKIE_DURATION,
            secure=settings.secure_cookies,
            httponly=True,
            samesite="Lax",
        )
        return response


def find_known_device(username: str) -> str | None:
    """Return the id of the browser of the current request if this user has signed in in it before."""
    value = request.cookies.get(cookie_name(DEVICE_COOKIE, current_settings()), "")
    try:
        name, device = _serializer().loads(value)
    except (BadSignature, ValueError, TypeError):
        return None
    return str(device) if name == username.strip().lower() else None


def _serializer() -> URLSafeSerializer:
    return URLSafeSerializer(str(current_app.secret_key), salt="chatapp.device")
