"""Every setting, with its default and its environment variable."""

import os
import re
import secrets
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import structlog
from flask import current_app
from pydantic import (
    AliasChoices,
    AliasGenerator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from chatapp.encryption.files import read_or_create
from chatapp.encryption.keyring import Keyring
from chatapp.encryption.keys import SECRETS, MasterKey

log = structlog.get_logger(__name__)

ROOT = Path(__file__).resolve().parent.parent.parent
ENV_FILE = ROOT / ".env"

PREFIX = "CHATAPP_"

RENAMED_VARIABLES = {
    "CHATAPP_API_RATE": "CHATAPP_API_REQUESTS_PER_MINUTE",
    "CHATAPP_ASSISTANTS": "CHATAPP_ASSISTANTS_FILE",
    "CHATAPP_ASSISTANT_STREAMS": "CHATAPP_MAX_CONCURRENT_ANSWERS",
    "CHATAPP_CONNECTIONS": "CHATAPP_MAX_CONNECTIONS",
    "CHATAPP_CONNECTION_RATE": "CHATAPP_CONNECTIONS_PER_SECOND",
    "CHATAPP_EVENT_RATE": "CHATAPP_EVENTS_PER_SECOND",
    "CHATAPP_HEADS_INTERVAL": "CHATAPP_HEARTBEAT_SECONDS",
    "CHATAPP_MESSAGE_LIMIT": "CHATAPP_MAX_MESSAGE_CHARS",
    "CHATAPP_SOCKET_JOINING": "CHATAPP_SOCKET_COALESCING",
    "CHATAPP_SPOOL_LIMIT": "CHATAPP_MAX_SPOOLED_MESSAGES",
    "CHATAPP_WEBHOOK_BACK_OFF": "CHATAPP_WEBHOOK_RETRY_SECONDS",
    "CHATAPP_WRITE_QUEUE": "CHATAPP_MAX_QUEUED_WRITES",
}
"""Old names of environment variables and their new names. The old names still work."""

OTHER_VARIABLES = frozenset({"CHATAPP_ASYNC_MODE", "CHATAPP_FAILPOINT", "CHATAPP_SEED", "CHATAPP_WORKER"})
"""Variables that are not settings: `wsgi.py`, `failpoints.py`, the parent of the workers and the tests use them."""


def name_driver(url: str) -> str:
    """Return the URL of a database with the name of the driver. Raises `ValueError` if the kind is not supported."""
    # A bare scheme leaves the choice of driver to SQLAlchemy's version; the writer's thread needs psycopg 3.
    scheme, separator, rest = url.partition("://")
    if url and scheme.partition("+")[0] not in {"postgres", "postgresql", "sqlite"}:
        raise ValueError(
            f"the database “{scheme}” is not supported; write postgresql://user:password@host/name,"
            " or nothing for SQLite in the data folder"
        )
    return f"postgresql+psycopg{separator}{rest}" if scheme in {"postgres", "postgresql"} else url


def _aliases(field: str) -> AliasChoices:
    name = PREFIX + field.upper()
    return AliasChoices(name, *(old for old, new in RENAMED_VARIABLES.items() if new == name))


class Settings(BaseSettings):
    """The settings of an operator, read from the environment or from `.env` in the project's folder.

    Raises `pydantic.ValidationError`, which names each variable with an invalid value.
    """

    model_config = SettingsConfigDict(
        # Aliases instead of `env_prefix` alone, so that errors name the variable.
        alias_generator=AliasGenerator(validation_alias=_aliases),
        populate_by_name=True,
        # `populate_by_name` also reads variables that are called like a field, such as LOG_LEVEL. These two prevent it.
        env_prefix=PREFIX,
        case_sensitive=True,
        env_file=ENV_FILE,
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    host: str = Field("127.0.0.1", validation_alias="HOST", description="address to listen on")
    port: int = Field(5000, ge=0, le=65535, validation_alias="PORT", description="port to listen on")
    workers: int = Field(1, ge=1, le=64, description="processes that serve together, on PostgreSQL and Redis")
    data_dir: Path = Field(ROOT / "instance", description="folder for the database, secrets and files")
    database_url: str = Field(
        "",
        validation_alias="DATABASE_URL",
        description="`postgresql://user:password@host/name` for PostgreSQL; SQLite in the data folder when empty",
    )
    database_key: SecretStr = Field(
        SecretStr(""),
        description="key that encrypts the stored data: 32 random bytes in Base64; see [operations](operations.md"
        "#encryption)",
    )
    database_key_file: Path | None = Field(None, description="file with the key, instead of `CHATAPP_DATABASE_KEY`")
    database_read_url: str = Field(
        "",
        validation_alias="DATABASE_READ_URL",
        description="`postgresql://user:password@host/name` of a streaming replica of the database, for reading "
        "history; none when empty",
    )
    database_connections: int = Field(
        20,
        ge=2,
        description="maximum number of connections with which a process reads the database, and as many to the replica",
    )
    redis_url: str = Field(
        "",
        validation_alias="REDIS_URL",
        description="`redis://host:6379/0`, required when several processes serve one database",
    )
    general_keep_last: int = Field(
        100, ge=0, description="number of messages kept in the general chat when chatapp starts; `0` keeps all"
    )
    archive_removed_messages: bool = Field(
        True, description="write messages to the message archive before a cleanup removes them"
    )
    archive_days: int = Field(
        0, ge=0, le=36_500, description="days for which the message archive keeps removed messages; `0` keeps all"
    )
    max_scheduled: int = Field(
        100,
        ge=1,
        le=1_000,
        description="maximum number of scheduled messages of each person; reminders have the same limit",
    )
    max_schedule_days: int = Field(
        366, ge=1, le=3_660, description="number of days for which a message or a reminder can be scheduled in advance"
    )
    max_pins: int = Field(50, ge=1, le=500, description="maximum number of pinned messages in a conversation")
    max_file_mb: int = Field(100, ge=1, le=100_000, description="maximum size of an uploaded file in megabytes")
    max_message_files: int = Field(10, ge=1, le=100, description="maximum number of files of a message")
    person_files_mb: int = Field(0, ge=0, description="megabytes of files that each person may upload; 0 for no limit")
    all_files_mb: int = Field(0, ge=0, description="megabytes of files of the installation; 0 for no limit")
    free_disk_mb: int = Field(
        500, ge=0, description="megabytes of the disk that uploads leave free, for the database and messages"
    )
    s3_endpoint: str = Field(
        "",
        description="`https://…` address of an S3-compatible server, to whose bucket files of messages are moved; see "
        "[operations](operations.md#files-in-a-bucket)",
    )
    s3_region: str = Field("us-east-1", description="region of the bucket")
    s3_access_key: str = Field("", description="id of the access key for the bucket")
    s3_secret_key: SecretStr = Field(SecretStr(""), description="secret of the access key for the bucket")
    s3_prefix: str = Field("", description="folder in the bucket, for one that has other objects too")
    s3_keep_seconds: float = Field(
        60.0, ge=0, description="seconds for which a file stays on the disk before it is moved to the bucket"
    )
    s3_bucket: str = Field("", validate_default=True, description="name of the bucket; none when empty")
    uploads_per_minute: int = Field(
        120, ge=0, description="uploads that each person may begin per minute; `0` disables the limit"
    )
    max_saved_messages: int = Field(
        1_000, ge=1, le=10_000, description="maximum number of saved messages of each person"
    )
    max_drafts: int = Field(200, ge=1, le=10_000, description="maximum number of drafts of each person")
    draft_saves_per_minute: int = Field(
        120, ge=0, description="draft saves per minute for each person; `0` disables the limit"
    )
    edit_seconds: int = Field(
        0, ge=0, description="seconds after sending in which people can edit their messages; `0` sets no limit"
    )
    delete_seconds: int = Field(
        0,
        ge=0,
        description="seconds after sending in which people can delete their messages; `0` sets no limit; managers and "
        "admins are not limited, except in direct conversations",
    )
    max_message_chars: int = Field(10_000, ge=1, le=100_000, description="maximum length of a message in characters")
    api_requests_per_minute: int = Field(
        600, ge=0, description="API requests per minute for each person; `0` disables the limit"
    )
    new_conversations_per_hour: int = Field(
        60, ge=0, description="rooms and direct conversations that a person may create per hour; `0` disables the limit"
    )
    room_invitations_per_hour: int = Field(
        200, ge=0, description="number of people that each person may add to rooms per hour; `0` disables the limit"
    )
    requests_per_second: int = Field(
        10,
        ge=0,
        description="HTTP requests per second of a person before they are delayed, with bursts of twice that; "
        "three times that for all visitors from one address; `0` disables the limit",
    )
    public_pages_per_minute: int = Field(
        120, ge=0, description="pages of shared conversations per minute for each address; `0` disables the limit"
    )
    form_posts_per_minute: int = Field(
        240,
        ge=0,
        description="forms per minute that a person, or an address without a login session, may submit; `0` disables "
        "the limit",
    )
    exports_per_minute: int = Field(
        20, ge=0, description="exports of conversations per minute for each person; `0` disables the limit"
    )
    searches_per_minute: int = Field(
        120,
        ge=0,
        description="searches per minute for each person, of messages as well as of people, conversations and "
        "sessions; as many times the results of a search may be counted; `0` disables the limit",
    )
    reactions_per_minute: int = Field(
        60,
        ge=0,
        description="reactions per minute that each person may add or remove, as many messages to save or no longer "
        "save, to pin or unpin, and to restore after deleting them; `0` disables the limit",
    )
    quotes_per_minute: int = Field(
        240,
        ge=0,
        description="requests per minute for quoted messages, of up to 50 messages each, for each person; `0` disables "
        "the limit",
    )
    sign_in_attempts: int = Field(
        10, ge=0, description="failed sign-ins to an account before further ones are delayed; `0` disables the delays"
    )
    sign_in_max_delay_seconds: int = Field(
        3_600, ge=1, description="maximum delay between failed sign-ins; it starts at 30 seconds and doubles"
    )
    login_idle_days: int = Field(30, ge=1, le=3_650, description="days without use after which a login session expires")
    login_max_days: int = Field(
        90, ge=1, le=3_650, description="days after signing in at which a login session expires although it is used"
    )
    trusted_proxies: int = Field(
        0, ge=0, le=10, description="number of proxies in front that set `X-Forwarded-For`, `-Proto` and `-Host`"
    )
    allowed_hosts: str = Field(
        "",
        description="host names by which chatapp is reached, separated by commas; `.example.org` includes subdomains. "
        "Default: this machine's addresses and name, and the name that a trusted proxy reports",
    )
    secure_cookies: bool = Field(False, description="send cookies only over HTTPS; enable behind an HTTPS proxy")
    files_origin: str = Field(
        "",
        description="`https://…` address of another host name of this server, from which browsers load files that "
        "people have uploaded; needs `CHATAPP_ALLOWED_HOSTS`; see "
        "[operations](operations.md#files-on-a-host-of-their-own)",
    )
    files_url_seconds: int = Field(
        60, ge=2, le=3_600, description="seconds after which a URL of a file on that host has expired"
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(str.upper)] = Field(
        "INFO", description="lowest severity that is logged: `DEBUG`, `INFO`, `WARNING` or `ERROR`"
    )
    log_sql: bool = Field(
        False,
        description="log statements of the database, without parameters, and its connection pool, as at the level "
        "`DEBUG`",
    )
    slow_query_ms: float = Field(
        100.0, ge=0, description="milliseconds after which a statement of the database is logged; `0`: never"
    )
    metrics_token: str = Field(
        "", description="token that `GET /metrics` requires in the header `Authorization: Bearer …`; none when empty"
    )
    audit_log_days: int = Field(
        365, ge=0, le=36_500, description="days for which entries of the audit log are kept; `0` keeps all"
    )
    audit_log_addresses: bool = Field(True, description="record network addresses in the audit log")
    heartbeat_seconds: float = Field(
        15.0, gt=0, description="seconds between two heartbeats, which let pages notice a missed message"
    )
    max_spooled_messages: int = Field(
        100_000, ge=0, description="maximum number of messages spooled to disk while the database is unavailable"
    )
    outage_admission_minutes: float = Field(
        30.0,
        ge=0,
        description="minutes for which people who were connected can reload and reconnect while the database cannot "
        "be read; `0`: not at all",
    )
    write_batch: int = Field(
        500, ge=1, description="maximum number of changes in one transaction; `1` commits each change separately"
    )
    max_queued_writes: int = Field(
        10_000, ge=1, description="maximum number of changes waiting to be written; more are refused as `busy`"
    )
    read_threads: int = Field(8, ge=1, le=100, description="threads that read messages from SQLite")
    read_timeout_seconds: float = Field(
        30.0, gt=0, description="seconds after which reading messages is ended; on PostgreSQL any read"
    )
    lock_timeout_seconds: float = Field(
        5.0,
        gt=0,
        description="seconds for which a statement waits for a lock of another session of PostgreSQL; then the "
        "database counts as unavailable",
    )
    migration_lock_seconds: float = Field(
        1.0,
        ge=0,
        description="seconds for which an upgrade of PostgreSQL's schema may lock the messages without a question "
        "while other programs use the database",
    )
    replica_wait_seconds: float = Field(
        0.2,
        ge=0,
        description="seconds for which a read waits until the replica has all that the database has; then it reads the "
        "database itself",
    )
    replica_max_lag_seconds: float = Field(
        10.0, gt=0, description="seconds by which the replica may be late before it is reported and no longer used"
    )
    idle_transaction_timeout_seconds: float = Field(
        60.0, gt=0, description="seconds without a statement after which PostgreSQL ends a transaction"
    )
    search_timeout_seconds: float = Field(
        4.0,
        gt=0,
        description="seconds after which a search of messages is ended; on PostgreSQL, each of its statements",
    )
    search_threads: int = Field(2, ge=1, le=100, description="threads that search messages in SQLite")
    password_threads: int = Field(
        2, ge=1, le=100, description="threads that hash passwords; each uses 64 MB while it works"
    )
    file_threads: int = Field(4, ge=1, le=100, description="threads that read and write files of messages")
    max_queued_calls: int = Field(
        100, ge=1, description="maximum number of calls waiting for each kind of thread; more are refused as `busy`"
    )
    export_processes: int = Field(1, ge=1, le=16, description="processes that make PDFs, each while it is needed")
    max_queued_exports: int = Field(
        10, ge=0, description="maximum number of PDFs waiting for a process; more are refused as `busy`"
    )
    worker_timeout_seconds: float = Field(60.0, gt=0, description="seconds after which making a PDF is ended")
    worker_memory_mb: int = Field(512, ge=128, description="maximum memory of a process that makes a PDF, in MB")

    compress_pages: bool = Field(
        True, description="compress pages with gzip; disable it if a proxy compresses them in a better way"
    )
    socket_engine: Literal["fast", "stock"] = Field(
        "fast",
        description="`stock` writes to sockets through the libraries' public interfaces only; it is slower",
    )
    socket_coalescing: bool = Field(
        True, description="send all frames queued for a socket in one write; `fast` socket engine only"
    )
    max_connections: int = Field(10_000, ge=1, description="maximum number of open connections, HTTP and sockets")
    max_connections_per_address: int = Field(
        500,
        ge=0,
        description="maximum number of connections without a login session from one address, an IPv6 /64 network "
        "counting as one, at most half of all; `0` disables the limit",
    )
    max_connections_per_login: int = Field(
        200,
        ge=0,
        description="maximum number of requests and sockets of one login session, or of a user's API tokens; "
        "`0` disables the limit",
    )
    http_timeout_seconds: float = Field(
        20.0,
        gt=0,
        description="seconds for the header of a request, and the longest wait for a client that sends a body or reads "
        "a response with less than 500 bytes per second",
    )
    keep_alive_seconds: float = Field(
        75.0, gt=0, description="seconds for which a connection may be idle between two requests"
    )
    connections_per_second: int = Field(
        50,
        ge=0,
        description="new sockets per second from one address, with bursts of 20 times that; above twice as many new "
        "connections of any kind per second, these are delayed; `0`: no limit",
    )
    events_per_second: int = Field(
        100,
        ge=0,
        description="events per second from one socket before it is throttled; twice that per person and 20 times "
        "per address; `0` disables the limit",
    )

    webhook_private_networks: bool = Field(
        False, description="allow webhooks to addresses in private networks, and to this machine and its host names"
    )
    webhook_retry_seconds: float = Field(
        10.0, gt=0, description="seconds before a failed webhook is retried; each further delay is six times as long"
    )

    webhook_timeout_seconds: float = Field(
        10.0, gt=0, le=30, description="seconds that one delivery to a webhook may take, whatever arrives meanwhile"
    )
    max_concurrent_deliveries: int = Field(
        100,
        ge=2,
        description="maximum number of deliveries to webhooks at the same time, one to each; half are for slow ones, a "
        "quarter at most for those of one person",
    )

    link_previews: bool = Field(
        True, description="show previews of the pages that new messages link to, which the server fetches"
    )
    link_preview_private_networks: bool = Field(
        False, description="fetch also pages in private networks and on this machine, from any port, for previews"
    )

    assistants_file: Path | None = Field(
        None, description="file that configures the assistants; `assistants.toml` in the data folder when empty"
    )
    assistant_daily_limit: int = Field(
        200, ge=0, description="questions to assistants per person in 24 hours; `0` disables the limit"
    )
    max_concurrent_answers: int = Field(
        200, ge=1, description="maximum number of assistant answers that one process generates at the same time"
    )

    @field_validator("data_dir")
    @classmethod
    def _make_absolute(cls, value: Path) -> Path:
        return (ROOT / value.expanduser()).resolve()

    @field_validator("database_url", "database_read_url")
    @classmethod
    def _name_driver(cls, value: str) -> str:
        return name_driver(value)

    @field_validator("database_key")
    @classmethod
    def _check_key(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value():
            MasterKey.parse(value.get_secret_value())
        return value

    @field_validator("database_key_file")
    @classmethod
    def _check_key_file(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is None:
            return None
        key = info.data.get("database_key")
        if key is None or key.get_secret_value():
            raise ValueError("set either CHATAPP_DATABASE_KEY or CHATAPP_DATABASE_KEY_FILE")
        path = (ROOT / value.expanduser()).resolve()
        read_key_file(path)
        return path

    @field_validator("database_read_url")
    @classmethod
    def _check_replica(cls, value: str, info: ValidationInfo) -> str:
        urls = (value, info.data.get("database_url", value))
        if value and not all(url.startswith("postgresql") for url in urls):
            raise ValueError("only PostgreSQL has replicas; set DATABASE_URL to their primary database")
        return value

    @field_validator("s3_endpoint")
    @classmethod
    def _check_endpoint(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^\s/@?#]+/?", value):
            raise ValueError("write https://s3.example.org, without a path, a user and a password")
        return value.removesuffix("/")

    @field_validator("s3_bucket")
    @classmethod
    def _check_bucket(cls, value: str, info: ValidationInfo) -> str:
        needed = ("s3_endpoint", "s3_access_key", "s3_secret_key")
        if not all(field in info.data for field in needed):
            return value  # One of them is invalid, and reported.
        missing = [field for field in needed if not len(info.data[field])]
        if value and missing:
            raise ValueError(f"a bucket needs {' and '.join(PREFIX + field.upper() for field in missing)} too")
        if not value and len(missing) < len(needed):
            raise ValueError("set CHATAPP_S3_BUCKET too, the name of the bucket")
        return value

    @field_validator("files_origin")
    @classmethod
    def _check_files_origin(cls, value: str, info: ValidationInfo) -> str:
        if not value:
            return value
        match = re.fullmatch(r"(https?)://([a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:.]+\])\.?(:\d+)?/?", value.lower())
        if match is None:
            raise ValueError("write https://files.example.org, without a path, a user and a password")
        scheme, host, port = match.groups()
        if scheme != "https" and info.data.get("secure_cookies"):
            raise ValueError("write https://…, as CHATAPP_SECURE_COOKIES says that pages are loaded over HTTPS")
        if "allowed_hosts" not in info.data:
            return value  # It is invalid, and reported.
        names = _split_names(info.data["allowed_hosts"])
        if not names or "*" in names:
            # An expired URL redirects to the host of the request for which it was made.
            raise ValueError("set CHATAPP_ALLOWED_HOSTS to the host names of the pages, without *")
        if host in names or host.strip("[]") == info.data.get("host", "").lower():
            raise ValueError("its host must be another one than HOST and those in CHATAPP_ALLOWED_HOSTS")
        return f"{scheme}://{host}{port or ''}"

    @field_validator("allowed_hosts")
    @classmethod
    def _check_host_names(cls, value: str) -> str:
        for name in _split_names(value):
            if name != "*" and not re.fullmatch(r"\.?[^\s:/@*]+|\[[0-9a-f:.]+\]", name):
                raise ValueError(f"“{name}” is not a host name; write chat.example.org, without https:// and port")
        return value

    @property
    def allowed_host_names(self) -> frozenset[str]:
        """The host names in `allowed_hosts`, in lower case."""
        return frozenset(_split_names(self.allowed_hosts))

    @property
    def files_host_name(self) -> str | None:
        """The host name in `files_origin`, in lower case; None if files have no host of their own."""
        return urlsplit(self.files_origin).hostname

    @property
    def own_host_names(self) -> frozenset[str]:
        """The host names that are known to be this installation's; `.example.org` stands for a whole domain."""
        return self.allowed_host_names | ({self.files_host_name} if self.files_host_name else set())

    @property
    def sqlalchemy_url(self) -> str:
        """The database URL in SQLAlchemy's form."""
        return self.database_url or f"sqlite:///{self.data_dir / 'chatapp.sqlite3'}"

    @cached_property
    def master_key(self) -> MasterKey | None:
        """The key that encrypts what is stored; None if nothing is encrypted."""
        if self.database_key_file is not None:
            return read_key_file(self.database_key_file)
        text = self.database_key.get_secret_value()
        return MasterKey.parse(text) if text else None

    def derive_key(self, purpose: str) -> bytes | None:
        """Return the key for a purpose; None if nothing is encrypted."""
        return None if self.master_key is None else self.master_key.derive(purpose)

    def keyring(self) -> Keyring:
        """Return the keys of encrypted columns."""
        return Keyring(self.data_dir / "column_keys", self.derive_key(SECRETS))

    @property
    def assistants_path(self) -> Path:
        """The path of the assistants' configuration, which need not exist."""
        return self.assistants_file or self.data_dir / "assistants.toml"

    @cached_property
    def worker(self) -> int | None:
        """The number of this process among several that `bin/serve --workers` has started; None if it serves alone."""
        number = os.environ.get("CHATAPP_WORKER")
        return int(number) if number and self.workers > 1 else None

    @property
    def spool_path(self) -> Path:
        """The path of this process' spool. The number in its name keeps the spools of several processes apart."""
        return self.data_dir / f"spool-{self.port if self.worker is None else self.worker}.sqlite3"

    @property
    def watermarks_path(self) -> Path:
        """The path of the file by which a restored backup is detected. All processes share it."""
        return self.data_dir / "watermarks.bin"

    @property
    def status_path(self) -> Path:
        """The path of the file with the history of figures. All processes share it."""
        return self.data_dir / "status.sqlite3"

    @property
    def archive_path(self) -> Path:
        """The folder of the message archive. All processes share it."""
        return self.data_dir / "archive"

    @property
    def files_path(self) -> Path:
        """The folder of the files of messages. All processes share it."""
        return self.data_dir / "files"

    @property
    def uploads_path(self) -> Path:
        """The folder of uploads. All processes share it."""
        return self.data_dir / "uploads"

    def secret_key(self) -> str:
        """Return the key that signs cookies. It is created at the first start and stored with mode 0600.

        Raises `Undecryptable`.
        """
        path = self.data_dir / "secret_key"
        return read_or_create(path, self.derive_key(SECRETS), lambda: secrets.token_hex(32).encode()).decode()


def _split_names(value: str) -> list[str]:
    return [name.strip().lower().removesuffix(".") for name in value.split(",") if name.strip()]


def read_key_file(path: Path) -> MasterKey:
    """Return the key in a file. Raises `ValueError`."""
    try:
        return MasterKey.parse(path.read_text(errors="replace"))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def http_address(host: str, port: int) -> str:
    """Return the URL of a server that listens on `host` and `port`."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _variable(field: FieldInfo) -> str:
    alias = field.validation_alias
    return str(alias.choices[0] if isinstance(alias, AliasChoices) else alias)


VARIABLES: Mapping[str, FieldInfo] = {_variable(field): field for field in Settings.model_fields.values()}
"""The settings by the names of their environment variables."""


EXTENSION = "chatapp.settings"
"""The key of the settings in `app.extensions`."""


def current_settings() -> Settings:
    """Return the settings of the current application."""
    settings: Settings = current_app.extensions[EXTENSION]
    return settings
