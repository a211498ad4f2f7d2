"""`flask files`."""

import click
from flask.cli import AppGroup
from sqlalchemy.exc import SQLAlchemyError

from chatapp.errors import ChatError
from chatapp.files.checking import find_file_problems
from chatapp.files.sweep import MARKED_SECONDS
from chatapp.files.sweep import sweep as remove_unused
from chatapp.text import escape_controls

files_commands = AppGroup("files", help="Manage the files of messages.")


@files_commands.command()
def sweep() -> None:
    """Remove files that no message and no upload has used for an hour, as a running server does every hour."""
    try:
        swept = remove_unused()
    except ChatError as error:
        raise click.ClickException(f"Nothing was removed. {error.message}") from None
    except (OSError, SQLAlchemyError) as error:
        raise click.ClickException(f"Unused files cannot be removed: {error}") from None
    click.echo(f"Removed {swept.removed:,} unused files.")
    if swept.marked:
        click.echo(f"Unused for less than {MARKED_SECONDS / 60:.0f} minutes: {swept.marked:,} files.")


@files_commands.command()
@click.option("--contents", "is_thorough", is_flag=True, help="Read all files, and compare their checksums.")
def check(*, is_thorough: bool) -> None:
    """Check whether the files of all messages are stored. The exit code is 1 if one is missing."""
    is_complete = True
    for problem in find_file_problems(is_thorough=is_thorough):
        click.echo(escape_controls(f"Problem: {problem}."))
        is_complete = False
    if not is_complete:
        click.get_current_context().exit(1)
    click.echo("The files of all messages are stored.")
