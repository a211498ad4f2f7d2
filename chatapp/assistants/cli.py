"""`flask import-history`: import of conversations from other chat programs."""

from collections.abc import Sequence
from pathlib import Path

import click
from flask.cli import with_appcontext
from sqlalchemy import func, select

from chatapp.assistants.importing.importer import Target, import_rows
from chatapp.assistants.importing.sources import open_source
from chatapp.assistants.queries import list_former
from chatapp.config.assistants import current_assistants, find_assistant, make_assistant_key
from chatapp.errors import ChatError
from chatapp.extensions import db
from chatapp.models import User
from chatapp.text import escape_controls


@click.command("import-history")
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--owner", metavar="USERNAME", help="Owner of the imported sessions.")
@click.option("--assistant", metavar="NAME", help="Assistant of the imported sessions; the first one by default.")
@with_appcontext
def import_history(path: Path, owner: str | None, assistant: str | None) -> None:
    """Import conversations with assistants from a JSON dump or a SQLite file.

    Importing a file again adds nothing. Invalid rows are reported with their number and not imported; then the exit
    status is 1.
    """
    assistants = current_assistants()
    if assistant is not None and find_assistant(assistant) is None:
        raise click.BadParameter(f"There is no assistant {assistant}.", param_hint="--assistant")
    try:
        source = open_source(path)
    except ChatError as error:
        raise click.BadParameter(error.message, param_hint="FILE") from None
    if source.has_sessions and owner is None:
        raise click.UsageError("The file contains sessions. Specify their owner with --owner.")
    target = Target(
        assistant_names={name: each.display_name for name, each in assistants.items()},
        owner_id=_get_user_id(owner) if owner is not None else None,
        assistant=make_assistant_key(assistant) if assistant else next(iter(assistants)),
    )
    imported = known = skipped = undated = invalid = 0
    with click.progressbar(length=source.count, label="Importing", show_pos=True) as bar:
        for result in import_rows(source, target):
            for problem in result.problems:
                click.echo(escape_controls(problem), err=True)
            imported, known = imported + result.imported, known + result.known
            skipped, undated = skipped + result.skipped, undated + result.undated
            invalid += len(result.problems)
            bar.update(result.total)
    click.echo(f"{imported:,} imported, {known:,} already imported, {skipped:,} skipped, {invalid:,} invalid.")
    if skipped:
        click.echo("Skipped rows are no messages: typing, presence and the like.")
    if undated:
        click.echo(f"{undated:,} had no time and got that of the message before or after them.")
    for name in _list_unconfigured():
        click.echo(
            f"{name} is not in assistants.toml: users can read its history, but not write to it. To change that, add\n"
            f'  [[assistant]]\n  name = "{name}"\nto assistants.toml and restart chatapp.'
        )
    if invalid:
        click.get_current_context().exit(1)


def _list_unconfigured() -> Sequence[str]:
    """List the names of assistants that have a history, but are not configured."""
    db.session.rollback()
    return [
        conversation.name or conversation.assistant or ""
        for conversation in list_former(db.session(), current_assistants())
    ]


def _get_user_id(username: str) -> int:
    user_id = db.session.scalars(select(User.id).where(func.lower(User.username) == username.lower())).one_or_none()
    if user_id is None:
        raise click.BadParameter(f"There is no user {username}.", param_hint="--owner")
    return user_id
