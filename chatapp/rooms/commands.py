"""Commands: what somebody types that is run instead of posted, such as “/topic Release 2”."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from chatapp.actors import Actor
from chatapp.conversations.commands import REMIND, find_command
from chatapp.conversations.refs import ConversationRef
from chatapp.errors import Invalid
from chatapp.presentation.reader_clock import UTC_CLOCK, ReaderClock
from chatapp.rooms import service
from chatapp.schedule.reminders import remind_by_text

_NAME = re.compile(r"[\s,]+")


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has run."""

    notice: str
    """What has happened, as pages show it."""
    is_over: bool = False
    """Whether the user is no longer a member of the room."""


def run_command(ref: ConversationRef, actor: Actor, content: object, clock: ReaderClock = UTC_CLOCK) -> Done:
    """Run a command, for a user whose browser has this clock.

    Raises `Invalid` if the content is no command in this conversation or lacks what it needs, and what the service
    raises.
    """
    command = find_command(ref, content) if isinstance(content, str) else None
    if command is None:
        raise Invalid("Unknown command. There is /remind, and rooms have /topic, /invite and /leave.")
    if command.name == REMIND:
        reminder = remind_by_text(actor, command.argument, clock.zone)
        return Done(f"Reminder set: {clock.format_due(reminder.due_at)}.")
    return _COMMANDS[command.name](actor, ref.id, command.argument)


def _set_topic(actor: Actor, room_id: int, topic: str) -> Done:
    if not topic:
        raise Invalid("Write the topic after the command, such as “/topic Release 2”.")
    service.set_topic(actor, room_id, topic)
    return Done("The topic was changed.")


def _invite(actor: Actor, room_id: int, people: str) -> Done:
    usernames = [name for name in _NAME.split(people) if name]
    if not usernames:
        raise Invalid("Write usernames after the command, such as “/invite @ana @bob”.")
    names = service.invite(actor, room_id, usernames)
    return Done(describe_added(names))


def _leave(actor: Actor, room_id: int, rest: str) -> Done:
    if rest:
        raise Invalid("/leave takes no text. Nothing was sent.")
    service.leave_room(actor, room_id)
    return Done("You left the room.", is_over=True)


def describe_added(names: list[str]) -> str:
    """Return the sentence that names the people who were added to a room."""
    added = ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]
    return f"{added} {'was' if len(names) == 1 else 'were'} added to the room."


_COMMANDS: dict[str, Callable[[Actor, int, str], Done]] = {"topic": _set_topic, "invite": _invite, "leave": _leave}
