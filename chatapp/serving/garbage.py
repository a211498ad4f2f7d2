"""Garbage collections, which stop the process: those of young objects are short, full ones wait for a quiet moment.

Reference counts free most objects at once. Collections of young objects, which take one to three milliseconds, free
most of the rest. So a full one, which takes 20 to 200 ms, has little to do and may be late. All collections together
take less than 1 % of the time of a message; with Python's thresholds, which make full ones often, it was 4 %.
"""

import gc

from chatapp.concurrency.cooperation import is_quiet

CHECK_SECONDS = 1.0
"""Interval at which `collect_when_quiet` is to be called."""

QUIET_SECONDS = 1.0
"""Time without messages after which the process may stop."""

YOUNG_OBJECTS = 1_500
"""New objects after which the young ones are collected."""

YOUNG_COLLECTIONS = 1
"""Collections of young objects between two of the middle generation, less one: those have 4,500 objects.

With 20,000 objects they stopped the process for 10 to 15 ms.
"""

PENDING_COLLECTIONS = 36
"""Collections of the middle generation after which a full one is due: one for each 160,000 objects that remain."""

MAX_PENDING_COLLECTIONS = 360
"""Collections of the middle generation after which a full one is made where it is never quiet."""


def postpone_full_collections() -> None:
    """Let collections be rare, and full ones short, from now on: call it when everything is loaded."""
    gc.collect()
    gc.freeze()  # What exists now is never garbage: collections need not traverse it.
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_COLLECTIONS, MAX_PENDING_COLLECTIONS)


def collect_when_quiet() -> None:
    """Collect all garbage if that is due and no messages are being stored."""
    if gc.get_count()[2] >= PENDING_COLLECTIONS and is_quiet(QUIET_SECONDS):
        gc.collect()
