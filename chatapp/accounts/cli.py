"""`flask users` and `flask setup-link`: accounts from the shell."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import DBAPIError

from chatapp.accounts import service
from chatapp.accounts.login_sessions import end_login_sessions
from chatapp.accounts.setup import find_setup_path
from chatapp.config import current_settings, http_address
from chatapp.deprecation import add_deprecated_alias
from chatapp.errors import ChatError
from chatapp.extensions import db

users = AppGroup("users", help="Create, ban and unban accounts, set passwords and sign out.")


@click.command("setup-link")
@with_appcontext
def setup_link() -> None:
    """Print the link that creates the owner's account, as the server does when it starts."""
    with _errors_reported():
        path = find_setup_path(db.session())
    if path is None:
        raise click.ClickException("chatapp is set up already. Create further accounts with `flask users create`.")
    settings = current_settings()
    click.echo(http_address(settings.host, settings.port) + path)


@users.command("create")
@click.argument("username", metavar="NAME")
@click.option("--admin", is_flag=True, help="Make the account an admin of the installation.")
@click.option("--display-name", default="", show_default="NAME", help="The name that others see.")
def create(username: str, *, admin: bool, display_name: str) -> None:
    """Create an account with the username NAME.

    The password is read from a prompt, or from standard input if that is not a terminal.
    """
    password = _read_password()
    with _errors_reported():
        service.create_user(username, display_name, password, is_admin=admin)
    click.echo(f"Created {'the admin' if admin else 'the account'} {service.check_username(username)}.")


@users.command("ban")
@click.argument("username", metavar="NAME")
@click.option("--revoke-invitations", is_flag=True, help="Also revoke all invitation links: NAME may know one.")
def ban(username: str, *, revoke_invitations: bool) -> None:
    """Ban NAME: sign them out everywhere and refuse further sign-ins.

    Their API tokens, share links and invitations are revoked, and their webhooks are suspended until another manager
    of the room adopts them. Their messages stay. `flask users unban` allows them to sign in again.
    """
    with _errors_reported():
        service.ban(None, username, revokes_invitations=revoke_invitations)
    click.echo(f"{username} is banned.")


@users.command("unban")
@click.argument("username", metavar="NAME")
def unban(username: str) -> None:
    """Allow NAME, who was banned, to sign in again."""
    with _errors_reported():
        service.unban(None, username)
    click.echo(f"{username} can sign in again.")


@users.command("password")
@click.argument("username", metavar="NAME")
def set_password(username: str) -> None:
    """Set a new password for NAME, who has forgotten theirs.

    They are signed out everywhere, and their API tokens are revoked. The password is read from a prompt, or from
    standard input if that is not a terminal.
    """
    password = _read_password()
    with _errors_reported():
        service.reset_password(username, password)
    click.echo(f"{username} has a new password.")


@users.command("sign-out")
@click.argument("username", metavar="[NAME]", required=False)
@click.option("--all", "everybody", is_flag=True, help="Sign out everybody.")
def sign_out(username: str | None, *, everybody: bool) -> None:
    """Sign out NAME, or everybody, in all browsers. API tokens stay valid."""
    if everybody == (username is not None):
        raise click.UsageError("Name an account, or use --all.")
    with _errors_reported():
        count = end_login_sessions(username)
    click.echo(f"Ended {count} login sessions.")


add_deprecated_alias(users, unban, "let-back")


@contextmanager
def _errors_reported() -> Iterator[None]:
    """Print errors that an operator can act on, instead of a traceback."""
    try:
        yield
    except ChatError as error:
        raise click.ClickException(error.message) from None
    except DBAPIError as error:
        raise click.ClickException(
            f"The database does not respond, or needs `flask db upgrade`: {error.orig}"
        ) from None


def _read_password() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    try:
        return sys.stdin.readline().rstrip("\r\n")
    except UnicodeDecodeError:
        raise click.ClickException("The password on standard input is not UTF-8.") from None
