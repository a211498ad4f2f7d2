"""The rows of scheduled messages' files."""

from collections.abc import Sequence
from typing import cast

from sqlalchemy import Table, bindparam, delete, insert, select
from sqlalchemy.orm import Session

from chatapp.files.attached import AttachedFile
from chatapp.files.rows import COLUMNS, group_files
from chatapp.models import ScheduledFile

_FILES = cast(Table, ScheduledFile.__table__)

_SELECT = (
    select(_FILES.c.scheduled_id, *(_FILES.c[name] for name in COLUMNS))
    .where(_FILES.c.scheduled_id.in_(bindparam("ids", expanding=True)))
    .order_by(_FILES.c.scheduled_id, _FILES.c.position)
)


def fetch_scheduled_files(session: Session, scheduled_ids: Sequence[int]) -> dict[int, tuple[AttachedFile, ...]]:
    """Return the files of each of the scheduled messages that have any, in their order."""
    return group_files(session.execute(_SELECT, {"ids": scheduled_ids})) if scheduled_ids else {}


def replace_scheduled_files(session: Session, scheduled_id: int, files: Sequence[AttachedFile]) -> None:
    """Let a scheduled message have these files instead of those that it has. The sweep removes what nothing uses."""
    session.execute(delete(_FILES).where(_FILES.c.scheduled_id == scheduled_id))
    if files:
        rows = [
            {"scheduled_id": scheduled_id, "position": position, **file.to_fields()}
            for position, file in enumerate(files)
        ]
        session.execute(insert(_FILES), rows)
