"""Commands for messages, such as `flask check` and `flask cleanup`, and the names in `flask shell`."""

import json
from collections.abc import Iterator, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup, with_appcontext
from flask_migrate import Migrate
from sqlalchemy.exc import DBAPIError

from chatapp.accounts.cli import setup_link, users
from chatapp.assistants.cli import import_history
from chatapp.audit_log.retention import delete_expired_entries
from chatapp.backup.cli import backup, decrypt_database, encrypt_database, restore
from chatapp.backup.encryption import require_key
from chatapp.config import EXTENSION as SETTINGS
from chatapp.config import ROOT, Settings, current_settings
from chatapp.conversations.kinds import ConversationKind
from chatapp.conversations.queries import find_conversation
from chatapp.conversations.refs import parse_ref
from chatapp.database_copy.cli import copy_database
from chatapp.encryption.keys import SPOOL
from chatapp.errors import ChatError, NotFound, Unavailable
from chatapp.extensions import db
from chatapp.files.checking import find_file_problems
from chatapp.files.cli import files_commands
from chatapp.models import Conversation, Message, User
from chatapp.models.encrypted import renew_encrypted_values
from chatapp.search.cli import search_commands
from chatapp.storage import write
from chatapp.storage.spool import SPOOL_ERRORS, Entry, Spool
from chatapp.text import escape_controls
from chatapp.timeline import TimelineMessage, read_page
from chatapp.timeline.archive.cli import archive_commands
from chatapp.timeline.cleanup import plan_clearing, plan_trim, trim
from chatapp.timeline.consistency import find_problems, repair
from chatapp.timeline.epoch import renew_epoch

REPLACING_COMMANDS = frozenset({"decrypt-database", "encrypt-database", "restore"})
"""Commands that replace what is stored, so that it need not fit the key of the settings."""


def init_cli(app: Flask) -> None:
    """Register the commands of chatapp with `flask`, and the names that `flask shell` defines."""
    Migrate(app, db, directory=str(ROOT / "migrations"))
    app.cli = Commands(app, app.cli.commands)
    app.cli.add_command(archive_commands)
    app.cli.add_command(backup)
    app.cli.add_command(check)
    app.cli.add_command(cleanup)
    app.cli.add_command(copy_database)
    app.cli.add_command(decrypt_database)
    app.cli.add_command(encrypt_database)
    app.cli.add_command(files_commands)
    app.cli.add_command(import_history)
    app.cli.add_command(restore)
    app.cli.add_command(restored)
    app.cli.add_command(rotate_keys)
    app.cli.add_command(search_commands)
    app.cli.add_command(setup_link)
    app.cli.add_command(spool_commands)
    app.cli.add_command(users)
    app.shell_context_processor(
        lambda: {"db": db, "Conversation": Conversation, "Message": Message, "User": User, "history": history}
    )


def is_choosing_command() -> bool:
    """Return whether the application is being created by `flask`, to find out whether a command is chatapp's."""
    context = click.get_current_context(silent=True)
    return context is not None and context.parent is None


class Commands(AppGroup):
    """The commands of chatapp. Those that use what is stored exit if its key is missing or wrong."""

    def __init__(self, app: Flask, commands: MutableMapping[str, click.Command]) -> None:
        super().__init__(app.name, commands)
        self._settings: Settings = app.extensions[SETTINGS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command that is about to run."""
        if cmd_name not in REPLACING_COMMANDS:
            require_key(self._settings)
        return super().get_command(ctx, cmd_name)


def history(name: str = "general", limit: int = ConversationKind.last_page_size) -> Sequence[TimelineMessage]:
    """Return the last messages of a conversation, oldest first. For `flask shell`: it reads the database as it is now.

    Raises `InvalidConversation` or `NotFound` if `name` is not the wire name of a conversation.
    """
    db.session.rollback()  # Ends the snapshot of the previous call.
    conversation = find_conversation(db.session(), parse_ref(name))
    if conversation is None:
        raise NotFound(f"There is no conversation {name}.")
    return read_page(db.session(), conversation, limit=limit).messages


@click.command()
@click.option("--repair", "is_repairing", is_flag=True, help="Repair what can be repaired without deleting messages.")
@with_appcontext
def check(*, is_repairing: bool) -> None:
    """Check whether the database is consistent, for example after another program has edited it, and has all files.

    The exit code is 1 if problems are left. chatapp makes the same repairs when it starts, except of the search index.
    """
    if is_repairing:
        for problem in repair():
            click.echo(f"Repaired: {problem.description}.")
    problems = find_problems(db.session())
    file_problems = list(find_file_problems())
    for description in (*(problem.description for problem in problems), *file_problems):
        click.echo(escape_controls(f"Problem: {description}."))
    if not problems and not file_problems:
        click.echo("The database is consistent.")
        return
    if not is_repairing and any(problem.fix for problem in problems):
        click.echo("Run `flask --app chatapp check --repair` to repair what can be repaired without deleting messages.")
    click.get_current_context().exit(1)


@click.command()
@click.option(
    "--keep-last",
    metavar="N",
    type=click.IntRange(min=0),
    help="Number of messages to keep; 0 keeps all. Defaults to CHATAPP_GENERAL_KEEP_LAST.",
)
@click.option(
    "--conversation",
    "wire_name",
    metavar="NAME",
    default="general",
    show_default=True,
    help="The conversation: general, room_26, …",
)
@click.option("--all", "is_clearing", is_flag=True, help="Delete all messages.")
@click.option("--dry-run", is_flag=True, help="Only show how many messages would be deleted.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@with_appcontext
def cleanup(keep_last: int | None, wire_name: str, *, is_clearing: bool, dry_run: bool, yes: bool) -> None:
    """Delete all but the last messages of a conversation, and expired entries of the audit log.

    Messages are archived before they are deleted, unless CHATAPP_ARCHIVE_REMOVED_MESSAGES is off. Only --all deletes
    the last messages too. Messages are deleted in small batches: the conversation can be used meanwhile.
    """
    if is_clearing and keep_last is not None:
        raise click.UsageError("Use --all or --keep-last, not both.")
    keep = current_settings().general_keep_last if keep_last is None else keep_last
    conversation = _get_conversation(wire_name)
    plan = plan_clearing(conversation) if is_clearing else plan_trim(db.session(), conversation, keep)
    kept = "keeping none" if is_clearing else "keeping all" if keep == 0 else f"keeping the last {keep:,}"
    if dry_run:
        click.echo(f"Would delete {plan.count:,} messages of {wire_name} ({kept}).")
        return
    if plan.count and not yes:
        how = "They will be archived." if current_settings().archive_removed_messages else "This cannot be undone."
        click.confirm(f"Delete {plan.count:,} messages of {wire_name} ({kept})? {how}", abort=True)
    deleted = 0
    with click.progressbar(length=plan.count, label="Deleting", show_pos=True) as bar:
        try:
            for removed in trim(plan):
                deleted += removed
                bar.update(removed)
        except Unavailable as error:
            raise click.ClickException(error.message) from None
    click.echo(f"Deleted {deleted:,} messages of {wire_name} ({kept}).")
    if expired := delete_expired_entries(current_settings().audit_log_days):
        click.echo(f"Deleted {expired:,} entries of the audit log.")


@click.command()
@with_appcontext
def rotate_keys() -> None:
    """Encrypt the secrets in the database, such as those of webhooks, with a new key. Servers may be running.

    The former keys are kept, so that older copies of the database can be read.
    """
    current_settings().keyring().rotate()
    renewed, failed = write(lambda transaction: renew_encrypted_values(transaction.session))
    click.echo(f"Secrets encrypted with a new key: {renewed:,}.")
    if failed:
        raise click.ClickException(f"Secrets whose key is not in column_keys: {failed:,}.")


@click.command()
@with_appcontext
def restored() -> None:
    """Make open pages reload the last page of their conversation after the database was restored from a backup.

    chatapp detects a restored database when it starts. Use this command if the data folder was restored or moved too:
    the restore is not detected then.
    """
    renew_epoch()
    click.echo("Open pages will load the last page of their conversation.")


spool_commands = AppGroup("spool", help="Manage messages that wait for the database or that it has rejected.")


@spool_commands.command("list")
def list_spool() -> None:
    """List the pending messages and the rejected ones, with the reason."""
    for path, spool in _open_spools():
        for entry in (*spool.list_pending(), *spool.list_rejected()):
            state = f"rejected: {entry.rejected}" if entry.rejected else "pending"
            click.echo(escape_controls(f"{path.stem} {entry.id} {entry.spooled_at:%Y-%m-%d %H:%M:%S} {state}"))
            click.echo("    " + escape_controls(_describe_entry(entry)))


@spool_commands.command("retry")
def retry_spool() -> None:
    """Try to store rejected messages again: a running server does so at its next heartbeat."""
    count = sum(spool.retry_rejected() for _, spool in _open_spools())
    click.echo(f"{count:,} messages will be retried.")


@spool_commands.command("export")
def export_spool() -> None:
    """Write the rejected messages to standard output, one JSON object per line."""
    for _, spool in _open_spools():
        for entry in spool.list_rejected():
            line = {**_entry_fields(entry), "spooled_at": entry.spooled_at.isoformat(), "refused": entry.rejected}
            # Its escapes are valid in JSON.
            click.echo(escape_controls(json.dumps(line, ensure_ascii=False)))


def _open_spools() -> Iterator[tuple[Path, Spool]]:
    for path in sorted(current_settings().data_dir.glob("spool-*.sqlite3")):
        spool = Spool(path, current_settings().derive_key(SPOOL))
        try:
            spool.list_pending(limit=1)
        except SPOOL_ERRORS as error:
            click.echo(f"{path} cannot be read: {error}", err=True)
        else:
            yield path, spool
        finally:
            spool.close()


def _entry_fields(entry: Entry) -> dict[str, Any]:
    """Return the fields of a spooled message; for a damaged one the text that is stored."""
    try:
        return entry.parse()
    except ValueError:
        return {"entry": entry.text}


def _describe_entry(entry: Entry) -> str:
    fields = _entry_fields(entry)
    if not {"conversation", "content"} <= fields.keys():
        return entry.text
    return f"{fields['conversation']}: {fields['content']}"


def _get_conversation(wire_name: str) -> Conversation:
    try:
        ref = parse_ref(wire_name)
    except ChatError as error:
        raise click.BadParameter(error.message, param_hint="--conversation") from None
    try:
        conversation = find_conversation(db.session(), ref)
    except DBAPIError as error:
        raise click.ClickException(
            f"The database does not respond, or needs `flask db upgrade`: {error.orig}"
        ) from None
    if conversation is None:
        raise click.BadParameter(f"There is no conversation {wire_name}.", param_hint="--conversation")
    return conversation
