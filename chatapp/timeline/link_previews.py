"""Previews of links: what a message shows of the pages that it links to.

Storing them is an event of the message, as an edit is: the message gets a new version.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.orm import Session

from chatapp.models import LinkPreview, Message
from chatapp.storage import BulkStatement


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePreview:
    """What a message shows of the page of a link. The texts are of the page; each of them may be empty."""

    url: str
    """As the message has it, before redirects."""
    title: str
    description: str
    site: str
    picture_digest: str | None = None
    """The SHA-256 of its picture in the store of files, in hexadecimal; None if it has none."""
    picture_width: int | None = None
    picture_height: int | None = None
    picture_placeholder: str | None = None
    """A `data:` URL of a tiny image."""
    picture_alt: str = ""
    """The alternative text of the picture."""

    @property
    def chars(self) -> int:
        """Return its size in characters, approximately."""
        texts = self.url, self.title, self.description, self.site, self.picture_placeholder or "", self.picture_alt
        return sum(map(len, texts))


COLUMNS = tuple(field.name for field in fields(PagePreview))
"""Those that are fields of a `PagePreview`."""

_PREVIEWS = LinkPreview.__table__

# Built once: building a statement takes as long as executing it.
_INSERT = BulkStatement(insert(LinkPreview), ("message_id", "position", "conversation_id", *COLUMNS))

_SELECT = (
    select(_PREVIEWS.c.message_id, *(_PREVIEWS.c[name] for name in COLUMNS))
    .where(_PREVIEWS.c.message_id.in_(bindparam("ids", expanding=True)))
    .order_by(_PREVIEWS.c.message_id, _PREVIEWS.c.position)
)

_DELETE = delete(LinkPreview).where(LinkPreview.message_id == bindparam("message_id"))


def fetch_previews(session: Session, message_ids: Sequence[int]) -> dict[int, tuple[PagePreview, ...]]:
    """Return the previews of each of the messages that have any, in their order."""
    if not message_ids:
        return {}
    found: dict[int, list[PagePreview]] = {}
    for message_id, *values in session.connection().execute(_SELECT, {"ids": message_ids}):
        found.setdefault(message_id, []).append(PagePreview(**dict(zip(COLUMNS, values, strict=True))))
    return {message_id: tuple(previews) for message_id, previews in found.items()}


def replace_previews(session: Session, message: Message, previews: Sequence[PagePreview]) -> None:
    """Store these as the previews of a message, instead of those that it has."""
    session.connection().execute(_DELETE, {"message_id": message.id})
    of_message = {"message_id": message.id, "conversation_id": message.conversation_id}
    rows = [of_message | {"position": position} | asdict(preview) for position, preview in enumerate(previews)]
    if rows:
        _INSERT.execute(session.connection(), rows)


def delete_previews(session: Session, message: Message, is_deleted: Callable[[PagePreview], bool]) -> bool:
    """Delete some of the previews of a message, and return whether it had any of them."""
    if "://" not in message.content:
        return False
    previews = fetch_previews(session, [message.id]).get(message.id, ())
    kept = [preview for preview in previews if not is_deleted(preview)]
    if len(kept) == len(previews):
        return False
    replace_previews(session, message, kept)
    return True


def take_previews(session: Session, message: Message) -> list[dict[str, Any]]:
    """Delete the previews of a message, and return the fields of each."""
    previews = fetch_previews(session, [message.id]).get(message.id, ()) if "://" in message.content else ()
    if previews:
        replace_previews(session, message, ())
    return [asdict(preview) for preview in previews]


def restore_previews(session: Session, message: Message, removed: Sequence[Mapping[str, Any]]) -> None:
    """Insert the previews that `take_previews` has deleted."""
    if removed:
        replace_previews(session, message, [PagePreview(**each) for each in removed])
