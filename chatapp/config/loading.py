"""Loading the settings, and what is wrong with the variables that an operator has set."""

import os
import sys
from collections.abc import Iterable
from difflib import get_close_matches

import structlog
from dotenv import dotenv_values
from pydantic import ValidationError

from chatapp.config.settings import ENV_FILE, OTHER_VARIABLES, PREFIX, RENAMED_VARIABLES, VARIABLES, Settings

log = structlog.get_logger(__name__)


def load_settings(*, workers: int | None = None) -> Settings:
    """Read the settings from the environment and `.env`. Exits, naming each invalid variable.

    `workers` takes precedence over the variable.
    """
    try:
        return Settings() if workers is None else Settings(workers=workers)
    except ValidationError as error:
        problems = [f"{problem['loc'][0]}: {problem['msg']}" for problem in error.errors()]
        problems += find_variable_problems(_defined_variables())
        sys.exit(
            "chatapp cannot start with these settings (see README.md and docs/settings.md):\n  " + "\n  ".join(problems)
        )


def find_variable_problems(names: Iterable[str]) -> list[str]:
    """Return a sentence for each name of a `CHATAPP_…` variable that was renamed or is unknown."""
    known = VARIABLES.keys() | OTHER_VARIABLES
    defined = {name for name in names if name.upper().startswith(PREFIX)}
    problems = []
    for name in sorted(defined - known):
        if new := RENAMED_VARIABLES.get(name):
            effect = f"it is ignored because {new} is set" if new in defined else "the old name still works"
            problems.append(f"{name} was renamed to {new}; {effect}")
        else:
            suggestion = _find_similar(name)
            hint = f"; did you mean {suggestion}?" if suggestion else ""
            problems.append(f"{name} is not a setting of chatapp and has no effect{hint}")
    return problems


def _find_similar(name: str) -> str | None:
    # Compared without the prefix, which some settings do not have: CHATAPP_PORT means PORT.
    candidates = {known.removeprefix(PREFIX): known for known in [*VARIABLES, *RENAMED_VARIABLES]}
    matches = get_close_matches(name.upper().removeprefix(PREFIX), candidates, n=1)
    if not matches:
        return None
    similar = candidates[matches[0]]
    return RENAMED_VARIABLES.get(similar, similar)


def log_variable_problems() -> None:
    """Log a warning for each variable in the environment or `.env` that was renamed or is unknown."""
    for problem in find_variable_problems(_defined_variables()):
        log.warning(problem)


def _defined_variables() -> set[str]:
    sources = (os.environ, dotenv_values(ENV_FILE, encoding="utf-8"))
    return {name for source in sources for name, value in source.items() if value}
