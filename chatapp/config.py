"""Every setting, with its default and its environment variable, in one place."""

import os
import secrets
import sys
from pathlib import Path
from typing import Annotated, Literal

from flask import current_app
from pydantic import AliasChoices, AliasGenerator, BeforeValidator, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """What an operator can change, read from the environment or from `.env` in the project's folder.

    Raises `pydantic.ValidationError`, naming each variable, when a value does not fit.
    """

    model_config = SettingsConfigDict(
        # An alias, not a prefix: errors then name the variable that the operator has set.
        alias_generator=AliasGenerator(validation_alias=lambda name: f"CHATAPP_{name.upper()}"),
        env_file=ROOT / ".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    host: str = Field("127.0.0.1", validation_alias=AliasChoices("HOST", "host"), description="address to listen on")
    port: int = Field(
        5000, ge=0, le=65535, validation_alias=AliasChoices("PORT", "port"), description="port to listen on"
    )
    data_dir: Path = Field(ROOT / "instance", description="folder of the database, the secrets and the files")
    database_url: str = Field(
        "",
        validation_alias=AliasChoices("DATABASE_URL", "database_url"),
        description="SQLite in the data folder when empty; `postgresql://user:password@host/name` for PostgreSQL",
    )
    redis_url: str = Field(
        "",
        validation_alias=AliasChoices("REDIS_URL", "redis_url"),
        description="`redis://host:6379/0` where several processes serve one database; none when empty",
    )
    general_keep_last: int = Field(
        100, ge=0, description="messages that the general chat keeps when chatapp starts; 0 keeps all"
    )
    message_limit: int = Field(10_000, ge=1, le=100_000, description="characters in a message at the most")
    api_rate: int = Field(
        600, ge=0, description="requests a minute that one person may make to the API; 0 sets no limit"
    )
    trusted_proxies: int = Field(
        0, ge=0, le=10, description="proxies in front that set X-Forwarded-For and X-Forwarded-Proto"
    )
    secure_cookies: bool = Field(False, description="send cookies over HTTPS alone; switch on behind an HTTPS proxy")
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(str.upper)] = Field(
        "INFO", description="least severity that is logged"
    )
    heads_interval: float = Field(15.0, gt=0, description="seconds between two beacons of the conversations' heads")
    spool_limit: int = Field(
        100_000, ge=0, description="messages that wait on the disk at most, while there is no database"
    )
    write_batch: int = Field(
        500, ge=1, description="changes in one transaction at the most; 1 commits each by itself, for comparison"
    )
    write_queue: int = Field(10_000, ge=1, description="changes that may wait for the database before one hears `busy`")

    socket_engine: Literal["fast", "stock"] = Field(
        "fast", description="`stock` writes to sockets as the libraries do: slower, and independent of their insides"
    )
    socket_coalescing: bool = Field(
        True,
        validation_alias=AliasChoices("CHATAPP_SOCKET_COALESCING", "CHATAPP_SOCKET_JOINING", "socket_coalescing"),
        description="send frames that are queued for a socket at the same time in one write; not with `stock`",
    )
    connections: int = Field(10_000, ge=1, description="connections at the most, pages and sockets together")
    connection_rate: int = Field(
        50, ge=0, description="new sockets a second from one address, and 20 times that at once; 0 sets no limit"
    )
    event_rate: int = Field(
        100,
        ge=0,
        description="events a second of one socket, beyond which it is read more slowly; twice that of one person, "
        "20 times of one address; 0 sets no limit",
    )

    webhook_private_networks: bool = Field(
        False, description="let webhooks reach addresses in private networks, this machine included"
    )
    webhook_back_off: float = Field(
        10.0, gt=0, description="seconds before a webhook's second attempt; each further pause is six times as long"
    )

    assistants_path: Path | None = Field(
        None,
        validation_alias=AliasChoices("CHATAPP_ASSISTANTS", "assistants_path"),
        description="file of the assistants; `assistants.toml` in the data folder when empty",
    )
    assistant_daily_limit: int = Field(
        200, ge=0, description="questions that one person may ask assistants in 24 hours; 0 sets no limit"
    )
    assistant_streams: int = Field(200, ge=1, description="answers that one process works on at once")

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return (ROOT / value.expanduser()).resolve()

    @field_validator("database_url")
    @classmethod
    def _named_driver(cls, value: str) -> str:
        # A bare scheme leaves the choice of driver to SQLAlchemy's version; the writer's thread needs psycopg 3.
        scheme, separator, rest = value.partition("://")
        return f"postgresql+psycopg{separator}{rest}" if scheme in {"postgres", "postgresql"} else value

    @property
    def sqlalchemy_url(self) -> str:
        """The database's address in SQLAlchemy's form."""
        return self.database_url or f"sqlite:///{self.data_dir / 'chatapp.sqlite3'}"

    @property
    def assistants_file(self) -> Path:
        """The file of the assistants; it need not be there."""
        return self.assistants_path or self.data_dir / "assistants.toml"

    @property
    def spool_path(self) -> Path:
        """The spool of the process that listens on this port: each process has its own, and finds it again."""
        return self.data_dir / f"spool-{self.port}.sqlite3"

    def prepare_data_dir(self) -> None:
        """Make the data folder, readable by its owner alone."""
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)

    def secret_key(self) -> str:
        """Give the key that signs cookies: made at the first start, kept in the data folder with mode 0600."""
        path = self.data_dir / "secret_key"
        if not path.exists():
            # Written aside and linked into place: of two processes that start at once both read the same whole key.
            draft = path.with_name(f"secret_key.{os.getpid()}")
            draft.touch(mode=0o600)
            draft.write_text(secrets.token_hex(32))
            try:
                path.hardlink_to(draft)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return path.read_text()


def load_settings() -> Settings:
    """Read the settings from the environment. Ends the process, naming each variable, when one does not fit."""
    try:
        return Settings()
    except ValidationError as error:
        problems = [f"{each['loc'][0]}: {each['msg']}" for each in error.errors()]
        sys.exit("chatapp cannot start with these settings (see README.md):\n  " + "\n  ".join(problems))


EXTENSION = "chatapp.settings"
"""Where the application keeps its settings, in `app.extensions`."""


def current_settings() -> Settings:
    """Give the settings of the application at hand."""
    settings: Settings = current_app.extensions[EXTENSION]
    return settings
