"""`flask backup` and `flask restore`."""

from pathlib import Path

import click
from flask.cli import with_appcontext

from chatapp.backup.restoring import restore_backup
from chatapp.backup.writing import write_backup
from chatapp.config import current_settings
from chatapp.errors import ChatError


@click.command()
@click.argument("to", type=click.Path(path_type=Path))
@with_appcontext
def backup(to: Path) -> None:
    """Write a backup to the new file TO, also while chatapp is running.

    It has the database, the archive, the spools, the secret key and the assistants' configuration. Keep it secret.
    """
    try:
        size = write_backup(current_settings(), to.absolute())
    except (ChatError, OSError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Wrote {to}: {size / 1_000_000:,.1f} MB.")


@click.command()
@click.argument("source", metavar="FROM", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace the data of the installation.")
@with_appcontext
def restore(source: Path, *, force: bool) -> None:
    """Restore the backup FROM. The server must be stopped, and the installation must be empty.

    The backup is checked before anything is changed. Open pages load the last page of their conversation.
    """
    try:
        restore_backup(current_settings(), source.absolute(), force=force)
    except (ChatError, OSError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Restored {source}. Start chatapp to use it.")
