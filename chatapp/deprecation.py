"""Old names of commands, which still work."""

from copy import copy
from typing import Any

import click
import structlog

log = structlog.get_logger(__name__)


def add_deprecated_alias(group: click.Group, command: click.Command, old_name: str) -> None:
    """Register `command`, a command of `group`, under its `old_name` too. Help omits it, and a call logs a warning."""
    alias = copy(command)
    alias.name, alias.hidden = old_name, True
    run = command.callback
    assert run is not None  # noqa: S101 - a command without a function is a group

    def warn_and_run(*arguments: Any, **options: Any) -> object:
        context = click.get_current_context()
        old_path = context.command_path
        new_path = f"{old_path.removesuffix(old_name)}{command.name}"
        message = f"`{old_path}` was renamed to `{new_path}`; the old name still works"
        log.warning(message)
        return run(*arguments, **options)

    alias.callback = warn_and_run
    group.add_command(alias)
