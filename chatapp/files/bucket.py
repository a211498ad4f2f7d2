"""A bucket of an S3-compatible server, by the client obstore.

obstore is imported only here, and this module only if a bucket is configured. Its network code is native and releases
the interpreter's lock: it uses no socket of Python, which eventlet has made green, so it may run on native threads.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from chatapp.config.settings import Settings
from chatapp.files.store import StoreUnavailable

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

PAUSE_SECONDS = 20.0
"""Time for which reads fail at once after the server did not respond: each would occupy a native thread meanwhile.

It is longer than the interval at which servers check the bucket, so that only these checks wait for it.
"""

READ_SECONDS = 10
"""Time limit of a request that reads."""

PART_SECONDS = 60
"""Time limit of a request that sends a part of a file, which has 5 MB at most."""

MAX_PARALLEL_PARTS = 3
"""Parts of a file that are sent at the same time. Each is in memory."""

MISSING = "The bucket does not exist."


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object of a bucket."""

    key: str
    size: int
    stored_at: float
    """By the clock of the bucket's server, in seconds since 1970."""


class Bucket:
    """The objects of a bucket below a prefix. All methods block, and raise `StoreUnavailable`."""

    def __init__(
        self, bucket: str, *, endpoint: str, region: str, access_key: str, secret_key: str, prefix: str = ""
    ) -> None:
        def connect(seconds: int, retries: int) -> S3Store:
            client: ClientConfig = {
                "allow_http": endpoint.startswith("http://"),
                "connect_timeout": timedelta(seconds=3),
                "timeout": timedelta(seconds=seconds),
            }
            retry: RetryConfig = {
                "max_retries": retries,
                "retry_timeout": timedelta(seconds=seconds),
                "backoff": {
                    "init_backoff": timedelta(milliseconds=100),
                    "max_backoff": timedelta(seconds=2),
                    "base": 2,
                },
            }
            return S3Store(
                bucket,
                prefix=prefix.strip("/") or None,
                endpoint=endpoint,
                region=region,
                access_key_id=access_key,
                secret_access_key=secret_key,
                virtual_hosted_style_request=False,
                checksum_algorithm="SHA256",
                disable_bulk_delete=True,  # Not all servers have it.
                client_options=client,
                retry_config=retry,
            )

        self._reader = connect(READ_SECONDS, retries=1)
        self._writer = connect(PART_SECONDS, retries=2)
        self._paused_until = float("-inf")
        self.problem: str | None = None
        """Why the last read failed; None if it did not."""

    def put(self, source: Path, key: str) -> None:
        """Store a file. The server has checked its checksum then."""
        with _translated_errors():
            try:
                obstore.put(self._writer, key, source, max_concurrency=MAX_PARALLEL_PARTS)
            except FileNotFoundError:
                raise StoreUnavailable(MISSING) from None

    def delete(self, key: str) -> None:
        """Delete an object, if it exists."""
        with _translated_errors(), suppress(FileNotFoundError):
            obstore.delete(self._reader, key)

    def find(self, key: str) -> StoredObject:
        """Return what the server knows of an object. Raises `FileNotFoundError`."""
        with self._reading():
            return _describe(obstore.head(self._reader, key))

    def read(self, key: str, offset: int, length: int) -> bytes:
        """Return bytes of an object, which has them. Raises `FileNotFoundError`."""
        with self._reading():
            return bytes(obstore.get_range(self._reader, key, start=offset, length=length)) if length else b""

    def list(self) -> Iterator[StoredObject]:
        """Yield all objects, in the order of their keys."""
        with self._reading():
            for page in obstore.list(self._reader, chunk_size=1_000):
                yield from map(_describe, page)

    def check(self) -> None:
        """Determine whether the bucket can be read, also after an outage: `problem` says so then."""
        with suppress(OSError), self._reading(is_check=True):
            obstore.head(self._reader, "check")  # It need not exist.

    @contextmanager
    def _reading(self, *, is_check: bool = False) -> Iterator[None]:
        """Translate the errors of a read. After an outage was noticed it fails at once, unless it is a check."""
        if not is_check and self.problem is not None and time.monotonic() < self._paused_until:
            raise StoreUnavailable(self.problem)
        try:
            with _translated_errors():
                yield
        except FileNotFoundError:
            self.problem = None
            raise
        except StoreUnavailable as error:
            self.problem = error.reason
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            raise
        self.problem = None


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Raise the errors of the client as `StoreUnavailable`, with what people may read, and the details for the log."""
    try:
        yield
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise StoreUnavailable("The bucket refuses the access key.", _first_line(error)) from None
    except BaseError as error:
        raise StoreUnavailable("The bucket does not respond.", _first_line(error)) from None


def _first_line(error: BaseError) -> str:
    """Return the request and its status. What follows is a dump of the client's state."""
    return str(error).partition("\n")[0]


def connect_bucket(settings: Settings) -> Bucket:
    """Return the bucket that the settings name."""
    return Bucket(
        settings.s3_bucket,
        endpoint=settings.s3_endpoint,
        region=settings.s3_region,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key.get_secret_value(),
        prefix=settings.s3_prefix,
    )


def _describe(found: Any) -> StoredObject:
    return StoredObject(found["path"], found["size"], found["last_modified"].timestamp())
