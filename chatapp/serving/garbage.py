"""Full garbage collections, which stop the process for 20 to 200 ms: they wait until nobody stores messages.

Reference counts free most objects at once. Collections of young objects, which take a few milliseconds, free most of
the rest. So a full one has little to do and may be late.
"""

import gc

from chatapp.concurrency.cooperation import is_quiet

CHECK_SECONDS = 1.0
"""Interval at which `collect_when_quiet` is to be called."""

QUIET_SECONDS = 1.0
"""Time without messages after which the process may stop."""

PENDING_COLLECTIONS = 20
"""Collections of the middle generation after which a full one is due: one for each 154,000 objects that remain."""

FULL_COLLECTION_FACTOR = 20
"""Where it is never quiet, full collections are so many times rarer than by default."""


def postpone_full_collections() -> None:
    """Let full collections be rare and short from now on: call it when everything is loaded."""
    gc.collect()
    gc.freeze()  # What exists now is never garbage: collections need not traverse it.
    youngest, middle, oldest = gc.get_threshold()
    gc.set_threshold(youngest, middle, oldest * FULL_COLLECTION_FACTOR)


def collect_when_quiet() -> None:
    """Collect all garbage if that is due and no messages are being stored."""
    if gc.get_count()[2] >= PENDING_COLLECTIONS and is_quiet(QUIET_SECONDS):
        gc.collect()
