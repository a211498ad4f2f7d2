"""`flask import-history`: import of conversations from other chat programs."""

from pathlib import Path

import click
from flask.cli import with_appcontext
from sqlalchemy import func, select

from chatapp.assistants.importing.importer import BatchResult, Target, import_rows
from chatapp.assistants.importing.sources import open_source
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

    Importing a file again adds nothing. Invalid rows are reported with their number and skipped.
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
    results: list[BatchResult] = []
    with click.progressbar(length=source.count, label="Importing", show_pos=True) as bar:
        for result in import_rows(source, target):
            results.append(result)
            bar.update(result.total)
    problems = [problem for result in results for problem in result.problems]
    for problem in problems:
        click.echo(escape_controls(problem), err=True)
    imported, known = sum(result.imported for result in results), sum(result.known for result in results)
    click.echo(f"{imported:,} imported, {known:,} already imported, {len(problems):,} invalid.")


def _get_user_id(username: str) -> int:
    user_id = db.session.scalars(select(User.id).where(func.lower(User.username) == username.lower())).one_or_none()
    if user_id is None:
        raise click.BadParameter(f"There is no user {username}.", param_hint="--owner")
    return user_id
