"""`flask users`: accounts from the shell."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask.cli import AppGroup

from chatapp.accounts import service
from chatapp.errors import ChatError

users = AppGroup("users", help="Manage accounts.")


@users.command("create")
@click.argument("username", metavar="NAME")
@click.option("--admin", is_flag=True, help="Let the account administer the installation.")
@click.option("--display-name", default="", help="The name that others see; the username when not given.")
def create(username: str, *, admin: bool, display_name: str) -> None:
    """Make an account called NAME. The password is asked for, or read from standard input."""
    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = _read_line()
    with _refusals_told():
        service.create_user(username, display_name, password, is_admin=admin)
    click.echo(f"Created {'the admin' if admin else 'the account'} {service.check_username(username)}.")


@users.command("ban")
@click.argument("username", metavar="NAME")
def ban(username: str) -> None:
    """Let NAME in no longer. What they have open closes within a second; what they said stays."""
    with _refusals_told():
        service.ban(username)
    click.echo(f"{username} is banned.")


@users.command("let-back")
@click.argument("username", metavar="NAME")
def unban(username: str) -> None:
    """Let NAME, who was banned, sign in again."""
    with _refusals_told():
        service.unban(username)
    click.echo(f"{username} can sign in again.")


@contextmanager
def _refusals_told() -> Iterator[None]:
    """Let the shell say what the core refuses."""
    try:
        yield
    except ChatError as error:
        raise click.ClickException(error.message) from None


def _read_line() -> str:
    try:
        return sys.stdin.readline().rstrip("\r\n")
    except UnicodeDecodeError:
        raise click.ClickException("The password on standard input is not UTF-8.") from None
