"""Which assistants there are: the file `assistants.toml` in the data folder, or the built-in one alone."""

import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from flask import Flask, current_app
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, ValidationError

from chatapp.config import Settings
from chatapp.conversations.queries import USERNAME

EXTENSION = "chatapp.assistants"
"""Where the application keeps its assistants, in `app.extensions`."""


def _checked_name(value: str) -> str:
    if not USERNAME.fullmatch(value) or value == "all":
        raise ValueError("a name has 1 to 32 of the letters a to z, digits, and “.”, “_” or “-” between them")
    return value


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BuiltIn(_Part):
    """Answers from the history that the asker may read. It needs neither a network nor a key."""

    kind: Literal["built-in"] = "built-in"


class OpenAICompatible(_Part):
    """A model behind the protocol that OpenAI's API speaks."""

    kind: Literal["openai"]
    base_url: HttpUrl = HttpUrl("https://api.openai.com/v1")
    model: str
    api_key: str = Field("", description="the key itself; better `api_key_env`")
    api_key_env: str = Field("", description="environment variable that holds the key")
    timeout: float = Field(60.0, gt=0, description="seconds without a word after which an answer has failed")
    retries: int = Field(2, ge=0, le=10, description="further attempts before the first word")
    max_tokens: int = Field(2_000, ge=1, description="length of an answer at the most")

    @property
    def key(self) -> str:
        """The key; a server of one's own often wants none."""
        return self.api_key or os.environ.get(self.api_key_env, "") or "none"


class Assistant(_Part):
    """Somebody who answers and is no person."""

    name: Annotated[str, AfterValidator(_checked_name)] = Field(description="what stands after the “@”")
    title: str = Field("", max_length=64, description="what people see; the name when empty")
    avatar: str = Field("", max_length=8, description="an emoji; a spark of ours when empty")
    description: str = Field("", max_length=250, description="a line below its name")
    prompt: str = Field("You are a helpful assistant in a team's chat. Answer briefly.", description="system prompt")
    provider: Annotated[BuiltIn | OpenAICompatible, Field(discriminator="kind")] = BuiltIn()
    context_messages: int = Field(10, ge=1, le=200, description="last messages that it is given")
    context_tokens: int = Field(4_000, ge=100, description="tokens of them at the most, as estimated")

    @property
    def shown(self) -> str:
        """What people see as its name."""
        return self.title or self.name


class _File(_Part):
    assistant: list[Assistant]


HELPER = Assistant(
    name="helper",
    title="Helper",
    description="Finds what was said here, and knows chatapp. It runs on this machine and asks nobody.",
)
"""The one that is there without a file."""


def load_assistants(settings: Settings) -> Mapping[str, Assistant]:
    """Read the assistants by name. Ends the process, naming what does not fit."""
    path = settings.assistants_file
    try:
        found = _File.model_validate(tomllib.loads(path.read_text())).assistant if path.exists() else [HELPER]
    except (OSError, ValueError) as error:
        problems = (
            [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
            if isinstance(error, ValidationError)
            else [str(error)]
        )
        sys.exit(f"chatapp cannot read {path} (see docs/operations.md):\n  " + "\n  ".join(problems))
    assistants = {each.name: each for each in found}
    if len(assistants) != len(found):
        sys.exit(f"chatapp cannot read {path}: two assistants have one name.")
    return assistants


def init_assistants(app: Flask, settings: Settings) -> None:
    """Let the application know its assistants."""
    app.extensions[EXTENSION] = load_assistants(settings)


def current_assistants() -> Mapping[str, Assistant]:
    """Give the assistants of the application at hand, by name."""
    assistants: Mapping[str, Assistant] = current_app.extensions[EXTENSION]
    return assistants


def find_assistants(prefix: str) -> Sequence[Assistant]:
    """Find the assistants whose name, or what people see as it, begins with `prefix`."""
    begun = prefix.lower()
    return [
        each
        for each in current_assistants().values()
        if each.name.startswith(begun) or each.shown.lower().startswith(begun)
    ]
