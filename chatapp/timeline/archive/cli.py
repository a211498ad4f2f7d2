"""`flask archive`: list, show and restore what cleanups have removed."""

import click
from flask.cli import AppGroup
from sqlalchemy.exc import DBAPIError

from chatapp.config import current_settings
from chatapp.conversations.refs import GENERAL
from chatapp.errors import ChatError
from chatapp.extensions import db
from chatapp.text import escape_controls
from chatapp.timeline.archive.files import Run, count_stored, current_archive
from chatapp.timeline.archive.restoring import restore
from chatapp.timeline.archive.rows import ArchivedMessage

archive_commands = AppGroup("archive", help="List, show and restore messages that cleanups have removed.")

_NAME = click.argument("name")


@archive_commands.command("list")
def list_archive() -> None:
    """List the cleanups of which messages are archived: name, number of messages, size.

    The name begins with that of the conversation and ends with the time of the cleanup, in UTC.
    """
    archive = current_archive()
    runs = [run for ref in archive.list_conversations() for run in archive.list_runs(ref) if run.list_files()]
    try:
        for run in runs:
            click.echo(_describe_run(run))
    except DBAPIError as error:
        raise click.ClickException(f"The database does not respond: {error.orig}") from None
    if not runs:
        click.echo("Nothing is archived.")


@archive_commands.command("show")
@_NAME
def show_archive(name: str) -> None:
    """Print the archived messages of NAME: a conversation, or one of its cleanups as `flask archive list` names it."""
    try:
        for run in current_archive().find_runs(name):
            for file in run.list_files():
                for message in file.read():
                    click.echo(escape_controls(_describe_message(message)))
    except ChatError as error:
        raise click.ClickException(escape_controls(error.message)) from None


@archive_commands.command("restore")
@_NAME
def restore_archive(name: str) -> None:
    """Restore the archived messages of NAME: a conversation, or one of its cleanups.

    Messages that exist are skipped, so the command can be repeated. Open pages load the last page of the conversation.
    """
    restored = skipped = attachments = 0
    try:
        runs = current_archive().find_runs(name)
        count = sum(file.count for run in runs for file in run.list_files())
        with click.progressbar(length=count, label="Restoring", show_pos=True) as bar:
            for run in runs:
                for result in restore(run):
                    restored += result.restored
                    skipped += result.skipped
                    attachments += result.attachments
                    bar.update(result.restored + result.skipped)
    except ChatError as error:
        raise click.ClickException(escape_controls(error.message)) from None
    except OSError as error:
        raise click.ClickException(f"The archive cannot be changed: {error}") from None
    click.echo(
        f"Restored {restored:,} messages"
        + (f", skipped {skipped:,} that exist or have a newer copy." if skipped else ".")
    )
    if attachments:
        click.echo(
            f"Files that these messages have: {attachments:,}. `flask files check` lists those that were removed."
        )
    keep = current_settings().general_keep_last
    if restored and keep and runs[0].conversation == GENERAL:
        click.echo(
            f"The next start keeps the last {keep:,} messages of the general chat: see CHATAPP_GENERAL_KEEP_LAST."
        )


def _describe_run(run: Run) -> str:
    files = run.list_files()
    count, size = sum(file.count for file in files), sum(file.path.stat().st_size for file in files)
    stored = sum(count_stored(db.session(), run.conversation, file) for file in files)
    note = f", {stored:,} of them exist" if stored else ""
    return f"{run.name} {count:,} messages ({files[0].first}–{files[-1].last}), {size / 1_000:,.1f} kB{note}"


def _describe_message(message: ArchivedMessage) -> str:
    columns = message.columns
    sender = message.sender or columns["sender_name"] or "unknown"
    content = "(deleted)" if columns["deleted_at"] else columns["content"]
    return f"{message.seq} {columns['created_at']:%Y-%m-%d %H:%M:%S} {sender}: {content}"
