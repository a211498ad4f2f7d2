"""One name space for usernames, assistants and bots, so that none of them can pretend to be another.

Two names clash if their *skeletons* are equal: the names without case, accents and look-alike characters
(Unicode TR39).
"""

import unicodedata
from collections.abc import Collection, Iterable
from functools import lru_cache

import structlog
from sqlalchemy import ColumnElement, func, select, union
from sqlalchemy.orm import InstrumentedAttribute, Session

from chatapp.assistant_config import Assistant
from chatapp.errors import Conflict
from chatapp.models import IncomingWebhook, OutgoingWebhook, User

log = structlog.get_logger(__name__)

LOOK_ALIKES = (("0", "o"), ("1", "l"), ("rn", "m"), ("vv", "w"))
"""ASCII characters that look like others, in the order in which they are replaced."""


@lru_cache(maxsize=16_384)
def make_skeleton(name: str) -> str:
    """Return what names that look alike have in common."""
    decomposed = unicodedata.normalize("NFKD", name)
    letters = (_to_ascii(character) for character in decomposed if unicodedata.category(character) not in {"Mn", "Cf"})
    skeleton = "".join(letters).casefold()
    for look_alike, replacement in LOOK_ALIKES:
        skeleton = skeleton.replace(look_alike, replacement)
    return skeleton


def _to_ascii(character: str) -> str:
    if character.isascii():
        return character
    from confusable_homoglyphs import confusables  # Imported here: its data takes time to load, and few calls need it.

    candidates = (entry["c"] for entry in confusables.confusables_data.get(character, ()))
    return next((candidate for candidate in candidates if candidate.isascii() and candidate.isalnum()), character)


def require_free_name(session: Session, name: str, assistant_names: Collection[str], *, may_be_bot: bool) -> None:
    """Raise `Conflict` if a user or an assistant has a name like this, or a bot unless `may_be_bot`."""
    skeleton = make_skeleton(name)
    is_taken = (
        skeleton in map(make_skeleton, assistant_names)
        or session.scalars(select(User.id).where(_skeleton_of(User.username) == skeleton).limit(1)).first() is not None
        or (not may_be_bot and skeleton in map(make_skeleton, _list_bot_names(session)))
    )
    if is_taken:
        raise Conflict(f"The name “{name}” is taken, or looks like one that is. Choose another one.")


def require_no_display_name(session: Session, name: str) -> None:
    """Raise `Conflict` if this looks like the display name of a user: a bot must not have it."""
    skeleton = make_skeleton(name)
    if any(make_skeleton(display_name) == skeleton for display_name in session.scalars(select(User.name))):
        raise Conflict(f"“{name}” looks like the name of a user. Choose another name for the bot.")


def list_assistant_names(assistants: Iterable[Assistant]) -> frozenset[str]:
    """Return the names by which assistants are mentioned and shown."""
    return frozenset(name for assistant in assistants for name in (assistant.name, assistant.display_name))


def list_clashes(session: Session, assistant_names: Collection[str]) -> list[list[str]]:
    """Return the groups of names that clash, for instance because they are older than the rule.

    Bots of several rooms may have the same name, so bots are compared with users and assistants only.
    """
    bots = _list_bot_names(session)
    skeleton = _skeleton_of(User.username)
    similar = select(skeleton).group_by(skeleton).having(func.count() > 1)
    others = {make_skeleton(name) for name in (*assistant_names, *bots)}
    users = session.scalars(select(User.username).where(skeleton.in_(similar) | skeleton.in_(others))).all()
    groups: dict[str, set[tuple[str, str]]] = {}
    for kind, names in (("user", users), ("assistant", assistant_names), ("bot", bots)):
        for name in names:
            groups.setdefault(make_skeleton(name), set()).add((kind, name))
    return sorted(
        sorted(f"{kind} {name}" for kind, name in group)
        for group in groups.values()
        if len({kind for kind, _ in group}) > 1 or len([kind for kind, _ in group if kind == "user"]) > 1
    )


def log_clashes(session: Session, assistant_names: Collection[str]) -> None:
    """Log a warning for each group of names that clash."""
    for names in list_clashes(session, assistant_names):
        log.warning("names look alike: rename the bot or the assistant, if there is one", names=names)


def _skeleton_of(column: InstrumentedAttribute[str]) -> ColumnElement[str]:
    """Return the skeleton of a username, which has only letters, digits and a few marks of ASCII."""
    expression: ColumnElement[str] = func.lower(column)
    for look_alike, replacement in LOOK_ALIKES:
        expression = func.replace(expression, look_alike, replacement)
    return expression


def _list_bot_names(session: Session) -> Collection[str]:
    return session.scalars(union(select(IncomingWebhook.name), select(OutgoingWebhook.name))).all()
