"""`flask cleanup` and `flask spool`: what is done to messages by hand."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
from flask import Flask
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import DBAPIError

from chatapp.accounts.cli import users
from chatapp.assistants.cli import import_history
from chatapp.config import current_settings
from chatapp.conversations.names import parse_name
from chatapp.conversations.queries import find_conversation
from chatapp.errors import ChatError
from chatapp.extensions import db
from chatapp.models import Conversation
from chatapp.timeline.cleanup import plan_trim, trim
from chatapp.timeline.epoch import renew_epoch
from chatapp.timeline.spool import Spool


def init_cli(app: Flask) -> None:
    """Add our commands to `flask`."""
    app.cli.add_command(cleanup)
    app.cli.add_command(import_history)
    app.cli.add_command(restored)
    app.cli.add_command(spool)
    app.cli.add_command(users)


@click.command()
@click.option(
    "--keep-last",
    metavar="N",
    type=click.IntRange(min=0),
    help="How many messages stay; 0 keeps all. CHATAPP_GENERAL_KEEP_LAST when not given.",
)
@click.option(
    "--conversation",
    "wire_name",
    metavar="NAME",
    default="general",
    show_default=True,
    help="Which conversation: general, room_26, …",
)
@click.option("--dry-run", is_flag=True, help="Only tell how many would be removed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_appcontext
def cleanup(keep_last: int | None, wire_name: str, *, dry_run: bool, yes: bool) -> None:
    """Remove all but the last messages of a conversation, for good.

    It works in small batches: people can go on chatting meanwhile.
    """
    keep = current_settings().general_keep_last if keep_last is None else keep_last
    conversation = _get_conversation(wire_name)
    plan = plan_trim(db.session(), conversation, keep)
    stay = "all messages stay" if keep == 0 else f"the last {keep:,} stay"
    if dry_run:
        click.echo(f"Would delete {plan.count:,} messages of {wire_name} ({stay}).")
        return
    if plan.count and not yes:
        click.confirm(f"Delete {plan.count:,} messages of {wire_name} for good ({stay})?", abort=True)
    deleted = 0
    with click.progressbar(length=plan.count, label="Deleting", show_pos=True) as bar:
        for removed in trim(plan):
            deleted += removed
            bar.update(removed)
    click.echo(f"Deleted {deleted:,} messages of {wire_name} ({stay}).")


@click.command()
@with_appcontext
def restored() -> None:
    """Say that the database was restored from a backup.

    Open pages then start from the last page, whatever numbers they know. At its start chatapp notices by itself in most
    cases; this is for when it could not, since the data folder was restored or moved too.
    """
    renew_epoch()
    click.echo("Pages that are open will start from the last page.")


spool = AppGroup("spool", help="Look after messages that the database refused for good.")


@spool.command("list")
def list_spool() -> None:
    """List what waits for the database, and what it refused, with the reason."""
    for path, box in _spools():
        for entry in (*box.waiting(), *box.refused()):
            state = f"refused: {entry.refused}" if entry.refused else "waits"
            click.echo(f"{path.stem} {entry.id} {entry.spooled_at:%Y-%m-%d %H:%M:%S} {state}")
            click.echo(f"    {entry.fields['conversation']}: {entry.fields['content']}")


@spool.command("retry")
def retry_spool() -> None:
    """Let what was refused wait again. A running server takes it up within its next beat."""
    count = sum(box.retry() for _, box in _spools())
    click.echo(f"{count:,} messages will be tried again.")


@spool.command("export")
def export_spool() -> None:
    """Write what was refused to standard output, a JSON object a line."""
    for _, box in _spools():
        for entry in box.refused():
            line = {**entry.fields, "spooled_at": entry.spooled_at.isoformat(), "refused": entry.refused}
            click.echo(json.dumps(line, ensure_ascii=False))


def _spools() -> Iterator[tuple[Path, Spool]]:
    for path in sorted(current_settings().data_dir.glob("spool-*.sqlite3")):
        box = Spool(path)
        yield path, box
        box.close()


def _get_conversation(wire_name: str) -> Conversation:
    try:
        name = parse_name(wire_name)
    except ChatError as error:
        raise click.BadParameter(error.message, param_hint="--conversation") from None
    try:
        conversation = find_conversation(db.session(), name)
    except DBAPIError as error:
        raise click.ClickException(
            f"The database does not answer, or `flask db upgrade` is due: {error.orig}"
        ) from None
    if conversation is None:
        raise click.BadParameter(f"There is no conversation {wire_name}.", param_hint="--conversation")
    return conversation
