"""One name space for usernames, assistants and bots, so that none of them can pretend to be another.

Two names clash if their *skeletons* are equal: the names without case, accents and look-alike characters
(Unicode TR39). Usernames are in lower case, where “i” and “l” differ. Other names may have a capital “I”, which looks
like “l”, and spaces: they are compared by their *coarse* skeletons.
"""

import time
import unicodedata
from collections.abc import Collection, Iterable
from functools import lru_cache

import structlog
from sqlalchemy import ColumnElement, func, select, union
from sqlalchemy.orm import InstrumentedAttribute, Session

from chatapp.config.assistants import Assistant
from chatapp.errors import Conflict
from chatapp.models import IncomingWebhook, OutgoingWebhook, User
from chatapp.text import remove_invisible

log = structlog.get_logger(__name__)

LOOK_ALIKES = (("0", "o"), ("1", "l"), ("|", "l"), ("rn", "m"), ("vv", "w"))
"""ASCII characters that look like others, in the order in which they are replaced."""

USERS_BATCH = 100
"""Number of users whose names are compared before other work runs."""


@lru_cache(maxsize=16_384)
def make_skeleton(name: str) -> str:
    """Return what names that look alike have in common."""
    decomposed = remove_invisible(unicodedata.normalize("NFKD", name))
    skeleton = "".join(map(_to_ascii, decomposed)).casefold()
    for look_alike, replacement in LOOK_ALIKES:
        skeleton = skeleton.replace(look_alike, replacement)
    return skeleton


def make_coarse_skeleton(name: str) -> str:
    """Return what names that look alike have in common if they may contain capital letters."""
    return make_skeleton(name).replace("i", "l")


def _to_ascii(character: str) -> str:
    if character.isascii():
        return character
    from confusable_homoglyphs import confusables  # Imported here: its data takes time to load, and few calls need it.

    candidates = (entry["c"] for entry in confusables.confusables_data.get(character, ()))
    return next((each for each in candidates if each.isascii() and (each.isalnum() or each == "|")), character)


def require_free_username(session: Session, name: str, assistant_names: Collection[str]) -> None:
    """Raise `Conflict` if a user, an assistant or a bot has a name like this username."""
    same = select(User.id).where(_skeleton_of(User.username) == make_skeleton(name)).limit(1)
    if session.scalars(same).first() is not None or _looks_like(name, (*assistant_names, *_list_bot_names(session))):
        raise _is_taken(name)


def require_free_bot_name(session: Session, name: str, assistant_names: Collection[str]) -> None:
    """Raise `Conflict` if an assistant, or a user by username or display name, has a name like this of a bot."""
    if _looks_like(name, assistant_names) or _looks_like(name, session.scalars(select(User.username))):
        raise _is_taken(name)
    if _looks_like(name, session.scalars(select(User.name))):
        raise Conflict(f"“{name}” looks like the name of a user. Choose another name for the bot.")


def require_free_display_name(session: Session, name: str, assistant_names: Collection[str]) -> None:
    """Raise `Conflict` if an assistant or a bot has a name like this. Several users may have the same."""
    if _looks_like(name, assistant_names) or _looks_like(name, _list_bot_names(session)):
        raise Conflict(f"“{name}” looks like the name of a bot or an assistant. Choose another display name.")


def _looks_like(name: str, others: Iterable[str]) -> bool:
    skeleton = make_coarse_skeleton(name)
    return any(make_coarse_skeleton(other) == skeleton for other in others)


def _is_taken(name: str) -> Conflict:
    return Conflict(f"The name “{name}” is taken, or looks like one that is. Choose another one.")


def list_assistant_names(assistants: Iterable[Assistant]) -> frozenset[str]:
    """Return the names by which assistants are mentioned and shown."""
    return frozenset(name for assistant in assistants for name in (assistant.name, assistant.display_name))


def list_clashes(session: Session, assistant_names: Collection[str]) -> list[list[str]]:
    """Return the groups of names that clash, for instance because they are older than the rule.

    Users may have the same display name, and bots of several rooms the same name.
    """
    skeleton = _skeleton_of(User.username)
    similar = select(skeleton).group_by(skeleton).having(func.count() > 1)
    users: dict[str, set[str]] = {}
    for username in session.scalars(select(User.username).where(skeleton.in_(similar))):
        users.setdefault(make_skeleton(username), set()).add(f"user {username}")

    others: dict[str, set[str]] = {}
    for kind, names in (("assistant", assistant_names), ("bot", _list_bot_names(session))):
        for name in names:
            others.setdefault(make_coarse_skeleton(name), set()).add(f"{kind} {name}")
    groups = {key: set(group) for key, group in others.items() if len({each.split()[0] for each in group}) > 1}
    for number, (username, display_name) in enumerate(session.execute(select(User.username, User.name)).all()):
        labels = {make_coarse_skeleton(display_name): f"user {username}, called {display_name}"}
        labels[make_coarse_skeleton(username)] = f"user {username}"
        for key in labels.keys() & others.keys():
            groups.setdefault(key, set(others[key])).add(labels[key])
        if number % USERS_BATCH == 0:
            time.sleep(0)
    return sorted(map(sorted, (*users.values(), *groups.values())))


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
