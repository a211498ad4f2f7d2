"""The write path: one writer thread for each process, group commit, and a spool on the local disk for outages.

The package knows transactions and changes, not what a change is about or who makes it. Only `application` knows Flask.
"""

from chatapp.storage.application import (
    DATABASE_ERRORS,
    EXTENSION,
    claim_repetition,
    current_writer,
    init_readers,
    is_dropped,
    log_database_error,
    write,
)
from chatapp.storage.changes import BatchChange, Change, IdempotencyKey, SpoolableChange
from chatapp.storage.engines import read_natively
from chatapp.storage.signals import Backlog, backlog_changed
from chatapp.storage.transaction import DeferredSignal, Transaction
from chatapp.storage.watermarks import DELETED, Watermarks
from chatapp.storage.writer import Writer

__all__ = [
    "DATABASE_ERRORS",
    "DELETED",
    "EXTENSION",
    "Backlog",
    "BatchChange",
    "Change",
    "DeferredSignal",
    "IdempotencyKey",
    "SpoolableChange",
    "Transaction",
    "Watermarks",
    "Writer",
    "backlog_changed",
    "claim_repetition",
    "current_writer",
    "init_readers",
    "is_dropped",
    "log_database_error",
    "read_natively",
    "write",
]
