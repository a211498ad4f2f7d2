"""Commands: what somebody writes that is run instead of posted, such as “/topic Release 2”.

`chatapp/rooms/commands.py` runs them. `static/js/core/commands.js` has the same names.
"""

import re
from typing import NamedTuple

from chatapp.conversations.kinds import is_room
from chatapp.conversations.refs import ConversationRef

REMIND = "remind"
"""The name of the command that all conversations have. The others are for rooms."""

_COMMAND = re.compile(r"/(topic|invite|leave|remind)(?:\s+(.*))?", re.DOTALL)


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
