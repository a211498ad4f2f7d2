"""Full garbage collections, which stop the process for 20 to 200 ms: they wait until nobody stores messages.

Reference counts free most objects at once. Collections of young objects, which take a few milliseconds, free most of
the rest. So a full one has little to do and may be late. With Python's threshold of 700 young objects, collections took
4 % of the time of a message.
"""

import gc

from chatapp.concurrency.cooperation import is_quiet

CHECK_SECONDS = 1.0
"""Interval at which `collect_when_quiet` is to be called."""

QUIET_SECONDS = 1.0
"""Time without messages after which the process may stop."""

YOUNG_OBJECTS = 5_000
"""New objects after which the young ones are collected."""

YOUNG_COLLECTIONS = 3
"""Collections of young objects after which one is of the middle generation, which then has up to 20,000 objects."""

PENDING_COLLECTIONS = 8
"""Collections of the middle generation after which a full one is due: one for each 160,000 objects that remain."""

MAX_PENDING_COLLECTIONS = 80
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
