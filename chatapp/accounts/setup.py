"""The setup link: the only way to create the first account in a browser.

Its token is derived from the secret key and the installation's epoch, so it is stored nowhere, all processes of an
installation have the same one, and it survives a restart. It is valid until the installation has an owner.
"""

import hmac
from base64 import urlsafe_b64encode

from flask import current_app
from sqlalchemy.orm import Session

from chatapp.accounts.queries import is_set_up
from chatapp.errors import NotFound
from chatapp.timeline.epoch import get_epoch


def find_setup_path(session: Session) -> str | None:
    """Return the path of the setup link, or None if the installation has an owner already."""
    return None if is_set_up(session) else f"/setup/{_make_token(session)}"


def require_valid_setup_token(session: Session, token: str) -> None:
    """Raise `NotFound` unless the installation has no owner and `token` is that of the setup link."""
    if is_set_up(session):
        raise NotFound("chatapp is set up already. Sign in, or ask for the invitation link.")
    if not hmac.compare_digest(token.encode(errors="replace"), _make_token(session).encode()):
        raise NotFound("This setup link is not valid. Open the link that the server printed at its last start.")


def _make_token(session: Session) -> str:
    key = str(current_app.secret_key).encode()
    return urlsafe_b64encode(hmac.digest(key, f"setup {get_epoch(session)}".encode(), "sha256")).rstrip(b"=").decode()
