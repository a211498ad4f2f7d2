"""The event that runs a command which was written instead of a message."""

from typing import Annotated

from pydantic import StringConstraints

from chatapp.conversations.refs import parse_ref
from chatapp.presentation.reader_clock import make_clock
from chatapp.realtime.handlers import Ack, Caller, Payload, handles
from chatapp.rooms.commands import run_command


class CommandPayload(Payload):
    """Payload of `run_command`. `run_command` validates the content."""

    conversation: object
    content: object = None
    zone: Annotated[str, StringConstraints(max_length=64)] = "UTC"


@handles("run_command", CommandPayload)
def run(caller: Caller, payload: CommandPayload) -> Ack:
    """Run a command."""
    done = run_command(parse_ref(payload.conversation), caller.user.actor, payload.content, make_clock(payload.zone))
    return {"notice": done.notice, "left": done.is_over}
