"""Commands: what somebody writes that is run instead of posted, such as “/topic Release 2”.

`chatapp/rooms/commands.py` runs them. `static/js/core/commands.js` has the same names. A message may also begin with
the command of an outgoing webhook, which calls the webhook (`chatapp/webhooks/service.py`).
"""

import re
from typing import NamedTuple

from chatapp.conversations.kinds import is_room
from chatapp.conversations.refs import ConversationRef

REMIND = "remind"
"""The name of the command that all conversations have. The others are for rooms."""

OWN_COMMANDS = frozenset({"me", REMIND, "topic", "invite", "leave"})
"""The names that no webhook can have. `/me` is part of a message."""

COMMAND_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,30}[a-z0-9])?")
"""The name of a webhook's command."""

_COMMAND = re.compile(r"/(topic|invite|leave|remind)(?:\s+(.*))?", re.DOTALL)
_CALLED = re.compile(rf"\s*/({COMMAND_NAME.pattern})(?:\s+(.*))?", re.DOTALL)


class Command(NamedTuple):
    """A command as it was written."""

    name: str
    argument: str
    """What follows the name; empty if nothing does."""


def find_command(ref: ConversationRef, content: str) -> Command | None:
    """Return the command that a text is in a conversation. Text that only looks like one is a message."""
    match = _COMMAND.fullmatch(content.strip())
    if match is None or not (match[1] == REMIND or is_room(ref)):
        return None
    return Command(match[1], match[2] or "")


def find_called_command(content: str) -> Command | None:
    """Return the command that a message begins with, if a webhook of its room may have it."""
    # Most messages have no slash: the pattern is not tried for them.
    match = _CALLED.fullmatch(content) if "/" in content else None
    return None if match is None else Command(match[1], (match[2] or "").strip())
