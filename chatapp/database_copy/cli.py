"""`flask copy-database`: copy the database from SQLite to PostgreSQL, or back."""

import sys
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from typing import Any

import click
import psycopg
from flask.cli import with_appcontext
from sqlalchemy import Connection
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from chatapp import sqlite
from chatapp.backup.files import list_spools
from chatapp.backup.lock import exclusive_lock
from chatapp.config import Settings, current_settings
from chatapp.database_copy import copying
from chatapp.database_copy.databases import (
    TABLES,
    check_source,
    check_target,
    connect,
    create_schema,
    find_path,
    lock_source,
    parse_url,
    read_snapshot,
    require_unused,
)
from chatapp.database_copy.values import DoesNotFit
from chatapp.encryption.keys import SPOOL
from chatapp.errors import ChatError, Conflict, Invalid
from chatapp.storage.spool import SPOOL_ERRORS, Spool

MAX_SHOWN = 20
"""Values that do not fit of which the command prints the reason."""


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--dry-run", is_flag=True, help="Copy nothing: print what cannot be copied. Servers may be running.")
@click.option("--restart", is_flag=True, help="Delete what an interrupted copy has written to TO, and begin again.")
@with_appcontext
def copy_database(source: str, target: str, *, dry_run: bool, restart: bool) -> None:
    """Copy the database from the URL FROM to the URL TO: from SQLite to PostgreSQL, or back.

    All servers must be stopped, no message may be pending in a spool, and TO must be empty. A copy that was
    interrupted continues when the command is repeated. Finally all rows are read again on both sides and compared. The
    copy keeps the epoch: after a start with DATABASE_URL=TO, open pages continue where they are.
    """
    try:
        urls = parse_url(source), parse_url(target)
        _check_urls(*urls)
        if dry_run:
            _check(current_settings(), *urls)
        else:
            _copy(current_settings(), *urls, restart=restart)
    except DoesNotFit as error:
        raise click.ClickException(
            f"{error}. Correct it in FROM, then repeat the command. --dry-run finds all such values."
        ) from None
    except (DBAPIError, psycopg.Error, sqlite.Error) as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise click.ClickException(f"{str(reason).strip()}\nRepeat the command to continue.") from None
    except (ChatError, OSError) as error:
        raise click.ClickException(str(error)) from None


def _check_urls(source: URL, target: URL) -> None:
    if source.get_backend_name() == target.get_backend_name():
        raise Invalid(
            "One of FROM and TO must be on SQLite, the other on PostgreSQL. Within one of them use `flask backup` and "
            "`flask restore`."
        )
    path = find_path(source)
    if path and not path.exists():
        raise Invalid(f"There is no file {path}.")


def _check(settings: Settings, source: URL, target: URL) -> None:
    """Print what cannot be copied. Exits with 1 if there is something."""
    for folder in _list_data_folders(settings, source, target):
        _require_empty_spools(settings, folder)
    path = find_path(target)
    if path is None or path.exists():
        with connect(settings, target, is_locking=False) as connection:
            check_target(connection)
    with connect(settings, source, is_locking=False) as connection:
        read_snapshot(connection)
        check_source(connection)
        count = sum(copying.count_rows(connection).values())
        with _progress("Checking", count) as bar:
            misfits, rows = copying.find_misfits(connection, bar.update)
    for misfit in misfits[:MAX_SHOWN]:
        click.echo(str(misfit))
    if misfits:
        raise click.ClickException(f"{rows:,} of {count:,} rows do not fit.")
    click.echo(f"Can be copied: {count:,} rows of {len(TABLES)} tables.")


def _copy(settings: Settings, source: URL, target: URL, *, restart: bool) -> None:
    with ExitStack() as stack:
        for folder in _list_data_folders(settings, source, target):
            stack.enter_context(exclusive_lock(folder))
            _require_empty_spools(settings, folder)
        original = stack.enter_context(connect(settings, source, is_locking=True))
        check_source(original)
        lock_source(original)
        with connect(settings, target, is_locking=True) as copy:
            has_schema = check_target(copy)
        if not has_schema:
            create_schema(settings, target)
        copy = stack.enter_context(connect(settings, target, is_locking=True))
        require_unused(copy, "TO")
        count, checksum = _copy_and_compare(original, copy, restart=restart)
    click.echo(f"Copied and compared {count:,} rows of {len(TABLES)} tables. Their checksum is {checksum}.")
    click.echo(f"Set DATABASE_URL to {target.set(drivername=target.get_backend_name()).render_as_string()}.")


def _copy_and_compare(original: Connection, copy: Connection, *, restart: bool) -> tuple[int, str]:
    progress = copying.prepare(original, copy, restart=restart)
    count = sum(copying.count_rows(original).values())
    done = sum(progress.counts.values())
    if done:
        click.echo(f"Continuing after {done:,} rows.")
    with _progress("Copying", count - done) as bar:
        copying.copy_rows(original, copy, progress, bar.update)
    with _progress("Comparing", 2 * count) as bar:
        checksum = copying.compare(original, copy, bar.update)
    copying.finish(copy)
    return count, checksum


def _progress(label: str, rows: int) -> AbstractContextManager[Any]:
    return click.progressbar(length=rows, label=label, hidden=not sys.stdout.isatty())


def _list_data_folders(settings: Settings, *urls: URL) -> list[Path]:
    """Return the data folder of the settings, and that of the SQLite database if a server uses another one."""
    folders = {settings.data_dir}
    for path in filter(None, map(find_path, urls)):
        if (path.parent / "server.lock").exists():
            folders.add(path.parent.resolve())
    return sorted(folders)


def _require_empty_spools(settings: Settings, folder: Path) -> None:
    """Raise `Conflict` if messages wait for the database. Rejected ones may stay: they refer to ids, which are kept."""
    for path in list_spools(folder):
        with closing(Spool(path, settings.derive_key(SPOOL))) as spool:
            try:
                is_pending = bool(spool.list_pending(limit=1))
            except SPOOL_ERRORS as error:
                raise Conflict(f"{path} cannot be read: {error}") from error
        if is_pending:
            raise Conflict(
                f"{path} has messages that wait for the database: see `flask --app chatapp spool list`. Start chatapp "
                "with FROM until they are stored, then stop it."
            )
