"""The assistants of the installation: those of `assistants.toml` in the data folder, or the built-in one alone."""

import os
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from flask import Flask, current_app
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, ValidationError

from chatapp.config import Settings

EXTENSION = "chatapp.assistants"
"""Key of the application's assistants in `app.extensions`."""


ASSISTANT_NAME_PATTERN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,30}[A-Za-z0-9])?", re.ASCII)
"""The pattern of usernames, which are mentioned in the same way, with capital letters: `BOT-001`."""


def make_assistant_key(name: str) -> str:
    """Return what identifies the assistant of this name: names that differ only in case are the same."""
    return name.strip().casefold()


def _check_name(value: str) -> str:
    name = value.strip()
    if not ASSISTANT_NAME_PATTERN.fullmatch(name) or make_assistant_key(name) == "all":
        raise ValueError("a name has 1 to 32 letters (A to Z, a to z) and digits, and “.”, “_” or “-” between them")
    return name


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BuiltInConfig(_Table):
    """Provider that answers from the messages that the asker may read. It needs no network and no key."""

    kind: Literal["built-in"] = "built-in"


class OpenAIConfig(_Table):
    """Provider that asks a model server through the protocol of OpenAI's API."""

    kind: Literal["openai"]
    base_url: HttpUrl = HttpUrl("https://api.openai.com/v1")
    model: str
    api_key: str = Field("", description="the API key; `api_key_env` is safer")
    api_key_env: str = Field("", description="environment variable that holds the API key")
    timeout: float = Field(60.0, gt=0, description="seconds without new text after which an answer fails")
    max_seconds: float = Field(600.0, gt=0, description="seconds after which an answer is cut off")
    retries: int = Field(2, ge=0, le=10, description="retries before the first data of an answer")
    max_tokens: int = Field(2_000, ge=1, description="maximum length of an answer")
    vision: bool = Field(False, description="whether the model takes images, as WebP")
    images: bool = Field(False, description="whether the model also answers with images")

    @property
    def effective_api_key(self) -> str:
        """The configured API key; `none` if there is none, because many self-hosted servers need no key."""
        return self.api_key or os.environ.get(self.api_key_env, "") or "none"


class Assistant(_Table):
    """One assistant."""

    name: Annotated[str, AfterValidator(_check_name)] = Field(description="the name to mention after “@”")
    title: str = Field("", max_length=64, description="display name; `name` if empty")
    avatar: str = Field("", max_length=8, description="an emoji; a default icon if empty")
    description: str = Field("", max_length=250, description="a line below the name")
    suggestions: tuple[Annotated[str, Field(max_length=100)], ...] = Field(
        (), max_length=6, description="questions that an empty conversation suggests"
    )
    prompt: str = Field("You are a helpful assistant in a team's chat. Answer briefly.", description="system prompt")
    provider: Annotated[BuiltInConfig | OpenAIConfig, Field(discriminator="kind")] = BuiltInConfig()
    context_messages: int = Field(10, ge=1, le=200, description="maximum number of messages in the context")
    context_tokens: int = Field(4_000, ge=100, description="maximum size of the context in (estimated) tokens")

    @property
    def key(self) -> str:
        """The key of the assistant in the configuration and in the database."""
        return make_assistant_key(self.name)

    @property
    def display_name(self) -> str:
        """The name that users see."""
        return self.title or self.name


class _File(_Table):
    assistant: list[Assistant]


BUILT_IN_ASSISTANT = Assistant(
    name="helper",
    title="Helper",
    description="Searches the messages you can read and answers questions about chatapp. Runs on this server only.",
    suggestions=("How do I invite someone?", "How do I create a room?", "How do I mention someone?"),
)
"""The only assistant of an installation without `assistants.toml`."""


def load_assistants(settings: Settings) -> Mapping[str, Assistant]:
    """Return the configured assistants by their keys. Exit the process with a message if the file is invalid."""
    path = settings.assistants_path
    try:
        loaded = (
            _File.model_validate(tomllib.loads(path.read_text())).assistant if path.exists() else [BUILT_IN_ASSISTANT]
        )
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()]
        sys.exit(f"chatapp cannot read {path} (see docs/operations.md):\n  " + "\n  ".join(problems))
    except (OSError, ValueError) as error:
        sys.exit(f"chatapp cannot read {path} (see docs/operations.md):\n  {error}")
    assistants = {assistant.key: assistant for assistant in loaded}
    if len(assistants) != len(loaded):
        sys.exit(f"chatapp cannot read {path}: two assistants have the same name.")
    return assistants


def init_assistants(app: Flask, settings: Settings) -> None:
    """Load the assistants of the application."""
    app.extensions[EXTENSION] = load_assistants(settings)


def current_assistants() -> Mapping[str, Assistant]:
    """Return the assistants of the current application by their keys."""
    assistants: Mapping[str, Assistant] = current_app.extensions[EXTENSION]
    return assistants


def find_assistant(name: str) -> Assistant | None:
    """Find an assistant of the current application by its name, in any case."""
    return current_assistants().get(make_assistant_key(name))


def list_assistants(prefix: str) -> Sequence[Assistant]:
    """List the assistants whose name or display name begins with `prefix`, ignoring case."""
    lowered = prefix.lower()
    return [
        assistant
        for assistant in current_assistants().values()
        if assistant.key.startswith(lowered) or assistant.display_name.lower().startswith(lowered)
    ]
