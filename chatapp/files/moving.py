"""The background work of a store with a bucket."""

from typing import TYPE_CHECKING

import structlog

from chatapp.concurrency.native import NativePool

if TYPE_CHECKING:
    from chatapp.files.bucket_store import BucketStore  # Without a bucket, its client's library is not loaded.

log = structlog.get_logger(__name__)

BUCKET_CHECK_SECONDS = 5.0
"""Interval at which each process checks whether the bucket can be read."""

MOVE_SECONDS = 2.0
"""Interval at which files are moved to the bucket."""


class BucketWork:
    """Checks the bucket and moves files to it. Logs a problem when it begins, and when it has ended."""

    def __init__(self, store: "BucketStore", pool: NativePool) -> None:
        self._store = store
        self._pool = pool
        self._logged: str | None = None
        self._not_moved: str | None = None

    def find_problem(self) -> str | None:
        """Return why files in the bucket cannot be read, or none are moved there."""
        return self._store.bucket.problem or (self._not_moved and "Files cannot be moved to the bucket.")

    def check(self) -> None:
        """Check whether the bucket can be read."""
        bucket = self._store.bucket
        self._pool.run(bucket.check)
        if bucket.problem == self._logged:
            return
        self._logged = bucket.problem
        if bucket.problem is None:
            log.info("the bucket responds again")
        else:
            log.warning("files stay on the disk, and those in the bucket cannot be read", reason=bucket.problem)

    def move(self) -> None:
        """Move files, unless the bucket is known to be away."""
        if self._store.bucket.problem is not None:
            return
        try:
            self._pool.run(self._store.move_files)
        except OSError as error:
            if self._not_moved != str(error):
                log.warning("files were not moved to the bucket", reason=str(error))
            self._not_moved = str(error)
        else:
            self._not_moved = None
