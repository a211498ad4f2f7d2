"""The commands `flask search rebuild` and `flask search check`."""

import click
from flask.cli import AppGroup
from sqlalchemy import func, select

from chatapp.errors import ChatError
from chatapp.extensions import db
from chatapp.models import Message
from chatapp.search.checking import Differences, compare_tokens
from chatapp.search.filling import fill, is_filled, restart

MAX_SHOWN = 10
"""Ids of messages that are shown for each kind of difference."""

search_commands = AppGroup("search", help="Rebuild or check the search index.")


@search_commands.command("rebuild")
@click.option("--empty", "is_emptied", is_flag=True, help="Empty the index first, if it is damaged. Posting waits.")
def rebuild(*, is_emptied: bool) -> None:
    """Create the search index again, the newest messages first. chatapp may run meanwhile."""
    try:
        left = restart(is_emptied=is_emptied)
        with click.progressbar(length=left, label="Indexing", show_pos=True) as bar:
            for position in fill(db.session()):
                bar.update(left - position)
                left = position
            bar.update(left)
    except ChatError as error:
        raise click.ClickException(error.message) from None
    if is_filled(db.session()):
        click.echo("The search index is complete.")
    else:
        click.echo("A process of another version has begun to index all messages again.")


@search_commands.command("check")
def check() -> None:
    """Compare the search index with all messages. The exit code is 1 if they differ."""
    count = db.session.scalars(select(func.count()).select_from(Message)).one()
    with click.progressbar(length=count, label="Comparing", show_pos=True) as bar:
        differences = compare_tokens(db.session(), bar.update)
    if not differences:
        click.echo("The search index is consistent.")
        return
    for line in _describe(differences):
        click.echo(line)
    click.echo("Run `flask --app chatapp search rebuild` to create the index again.")
    click.get_current_context().exit(1)


def _describe(differences: Differences) -> list[str]:
    kinds = {
        "Messages that the index lacks": differences.missing,
        "Entries of messages that do not exist or are deleted": differences.surplus,
        "Messages that are indexed with other tokens": differences.different,
    }
    return [
        f"{name}: {', '.join(map(str, ids[:MAX_SHOWN]))}{' …' if len(ids) > MAX_SHOWN else ''} ({len(ids):,})"
        for name, ids in kinds.items()
        if ids
    ]
