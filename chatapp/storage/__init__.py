"""The write path: one writer thread for each process, group commit, and a spool on the local disk for outages.

The package knows transactions and changes, not what a change is about or who makes it. Only `application` knows Flask.
"""

from chatapp.storage.application import (
    DATABASE_ERRORS,
    EXTENSION,
    claim_repetition,
    current_writer,
    find_replica,
    init_readers,
    is_dropped,
    is_overload,
    log_database_error,
    read_from_replica,
    write,
    write_later,
)
from chatapp.storage.bulk_statements import BulkStatement
from chatapp.storage.changes import BatchChange, Change, IdempotencyKey, SpoolableChange
from chatapp.storage.engines import read_natively
from chatapp.storage.folding import contains_folded, equals_folded
from chatapp.storage.keyset import MAX_CURSOR_CHARS, Key, Keyset, ListPage
from chatapp.storage.parameter_rows import INTEGER, TEXT, encode_rows, parameter_rows
from chatapp.storage.read_statements import ReadStatement, opaque_parameter
from chatapp.storage.replica import PRIMARY_POSITION
from chatapp.storage.signals import Backlog, backlog_changed
from chatapp.storage.submissions import Submission
from chatapp.storage.transaction import DeferredSignal, Transaction
from chatapp.storage.watermarks import DELETED, Watermarks
from chatapp.storage.writer import Writer

__all__ = [
    "DATABASE_ERRORS",
    "DELETED",
    "EXTENSION",
    "INTEGER",
    "MAX_CURSOR_CHARS",
    "PRIMARY_POSITION",
    "TEXT",
    "Backlog",
    "BatchChange",
    "BulkStatement",
    "Change",
    "DeferredSignal",
    "IdempotencyKey",
    "Key",
    "Keyset",
    "ListPage",
    "ReadStatement",
    "SpoolableChange",
    "Submission",
    "Transaction",
    "Watermarks",
    "Writer",
    "backlog_changed",
    "claim_repetition",
    "contains_folded",
    "current_writer",
    "encode_rows",
    "equals_folded",
    "find_replica",
    "init_readers",
    "is_dropped",
    "is_overload",
    "log_database_error",
    "opaque_parameter",
    "parameter_rows",
    "read_from_replica",
    "read_natively",
    "write",
    "write_later",
]
