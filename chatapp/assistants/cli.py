"""`flask import-history`: what was said with assistants elsewhere."""

from pathlib import Path

import click
from flask.cli import with_appcontext
from sqlalchemy import func, select

from chatapp.assistant_config import current_assistants
from chatapp.assistants.importing import Outcome, Target, import_rows, open_source
from chatapp.errors import ChatError
from chatapp.extensions import db
from chatapp.models import User


@click.command("import-history")
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--owner", metavar="USERNAME", help="Whose the sessions of the file become.")
@click.option("--assistant", metavar="NAME", help="With whom the sessions were; the first assistant when not given.")
@with_appcontext
def import_history(path: Path, owner: str | None, assistant: str | None) -> None:
    """Take in a JSON dump or a SQLite file of a chat with assistants.

    A second run adds nothing. Bad rows are told by number; the others go in.
    """
    assistants = current_assistants()
    if assistant is not None and assistant not in assistants:
        raise click.BadParameter(f"There is no assistant {assistant}.", param_hint="--assistant")
    try:
        source = open_source(path)
    except ChatError as error:
        raise click.BadParameter(error.message, param_hint="FILE") from None
    if source.has_sessions and owner is None:
        raise click.UsageError("The file has sessions: say whose they become, with --owner.")
    target = Target(
        titles={each.name: each.display_name for each in assistants.values()},
        owner_id=_find_owner(owner) if owner is not None else None,
        assistant=assistant or next(iter(assistants)),
    )
    outcomes: list[Outcome] = []
    with click.progressbar(length=source.count, label="Importing", show_pos=True) as bar:
        for outcome in import_rows(source, target):
            outcomes.append(outcome)
            bar.update(outcome.total)
    problems = [problem for outcome in outcomes for problem in outcome.problems]
    for problem in problems:
        click.echo(problem, err=True)
    imported, known = (sum(getattr(each, name) for each in outcomes) for name in ("imported", "known"))
    click.echo(f"{imported:,} imported, {known:,} already there, {len(problems):,} bad.")


def _find_owner(username: str) -> int:
    found = db.session.scalars(select(User.id).where(func.lower(User.username) == username.lower())).one_or_none()
    if found is None:
        raise click.BadParameter(f"There is nobody called {username}.", param_hint="--owner")
    return found
