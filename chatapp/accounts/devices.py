"""Device cookies (OWASP): they mark a browser in which a user has signed in before, also after signing out.

They grant nothing but a limit of their own for failed sign-ins: see `chatapp.passwords.attempts`. A new password
invalidates them: somebody who knew the old one must not have more attempts at the new one.
"""

import secrets
from datetime import timedelta

from flask import after_this_request, current_app, request
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import select
from werkzeug.wrappers import Response

from chatapp.config import current_settings
from chatapp.conversations.people import find_active_user
from chatapp.extensions import db
from chatapp.models import User
from chatapp.tokens import hash_token
from chatapp.web.security import cookie_name

DEVICE_COOKIE = "chatapp_device"
DEVICE_COOKIE_DURATION = timedelta(days=365)


def remember_device(user_id: int) -> None:
    """Mark the browser of the current request as one in which this user has signed in with the current password."""
    settings = current_settings()
    name = cookie_name(DEVICE_COOKIE, settings)
    username, password_hash = db.session.execute(
        select(User.username, User.password_hash).where(User.id == user_id)
    ).one()
    value = _serializer().dumps([username, secrets.token_hex(16), hash_token(password_hash)])

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
    """Return the id of the browser of the current request if this user has signed in in it before.

    The database is asked only if the cookie is this user's, so that the time does not reveal which accounts exist.
    """
    value = request.cookies.get(cookie_name(DEVICE_COOKIE, current_settings()), "")
    try:
        name, device, password = _serializer().loads(value)
    except (BadSignature, ValueError, TypeError):
        return None
    if name != username.strip().lower():
        return None
    user = find_active_user(db.session(), name)
    return str(device) if user is not None and hash_token(user.password_hash) == password else None


def _serializer() -> URLSafeSerializer:
    return URLSafeSerializer(str(current_app.secret_key), salt="chatapp.device")
