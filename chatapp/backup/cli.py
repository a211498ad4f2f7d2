"""`flask backup`, `flask restore`, `flask encrypt-database` and `flask decrypt-database`."""

from pathlib import Path

import click
from flask.cli import with_appcontext

from chatapp.backup.encryption import KEY_VARIABLES
from chatapp.backup.restoring import convert_database, restore_backup
from chatapp.backup.writing import write_backup
from chatapp.config import current_settings, read_key_file
from chatapp.encryption.keys import MasterKey
from chatapp.errors import ChatError


@click.command()
@click.argument("to", type=click.Path(path_type=Path))
@with_appcontext
def backup(to: Path) -> None:
    """Write a backup to the new file TO, also while chatapp is running.

    It has the database, the files of messages, the archive, the spools, the secret key and the assistants'
    configuration. If there is a key for what is stored, it is encrypted. Otherwise keep it secret.
    """
    settings = current_settings()
    try:
        written = write_backup(settings, to.absolute())
    except (ChatError, OSError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Wrote {to}: {written.size / 1_000_000:,.1f} MB.")
    if written.missing:
        reason = "are only in the bucket, or not stored" if settings.s3_bucket else "are not stored"
        click.echo(f"It lacks files of messages that {reason}: {written.missing:,}. See `flask files check`.")


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


@click.command()
@click.option(
    "--new-key-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Encrypt with the key in this file, to replace the key of the settings.",
)
@with_appcontext
def encrypt_database(new_key_file: Path | None) -> None:
    """Encrypt the database, the files, the spools, the archive and the secrets with the key of the settings.

    The server must be stopped. Every row is compared. If it is interrupted, nothing has changed, or the next command
    or start completes it.
    """
    try:
        target = current_settings().master_key if new_key_file is None else read_key_file(new_key_file)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    if target is None:
        raise click.ClickException(f"Set {KEY_VARIABLES} first.")
    _convert(target, "Encrypted")
    if new_key_file is not None:
        click.echo(f"Set CHATAPP_DATABASE_KEY_FILE to {new_key_file.absolute()} before you start chatapp.")


@click.command()
@with_appcontext
def decrypt_database() -> None:
    """Store the database, the files, the spools, the archive and the secrets without encryption.

    The server must be stopped. Every row is compared. If it is interrupted, nothing has changed, or the next command
    or start completes it.
    """
    _convert(None, "Decrypted")
    click.echo(f"Remove {KEY_VARIABLES} before you start chatapp.")


def _convert(target: MasterKey | None, done: str) -> None:
    try:
        converted = convert_database(current_settings(), target)
    except (ChatError, OSError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{done} and compared {converted.rows:,} rows and {converted.files:,} files.")
