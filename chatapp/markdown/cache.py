"""Rendered Markdown, which no reader waits for twice."""

import json
from functools import lru_cache

from markupsafe import Markup

from chatapp.concurrency.cooperation import is_in_slices
from chatapp.concurrency.worker_processes import WorkerPool
from chatapp.errors import Busy, ChatError
from chatapp.markdown.plain import render_plain

QUICK_SECONDS = 0.002
"""Budget of a short text in a page or a catch-up before a worker process renders it."""

QUICK_CHARS = 1_000
"""Maximum length of a short text. Most longer ones exceed the budget, and some by far: it is checked now and then."""

CACHED_TEXTS = 500

_pool = WorkerPool("markdown", processes=1, max_queued=100, memory_mb=256, timeout_seconds=10.0)


def try_render_blocks(text: str) -> tuple[Markup, ...] | None:
    """Render a text as one piece of HTML for each of its blocks (paragraph, list, block of code).

    A text that takes too long is shown as it is written. Within `in_slices` this may wait for a worker process: the
    parser cannot be interrupted everywhere, and what it allocates makes garbage collections long. Return None if too
    many texts wait for one already.
    """
    try:
        return _render(text)
    except Busy:
        return None


def render_blocks(text: str) -> tuple[Markup, ...]:
    """Render a text, or show it as it is written, also if it could be rendered later. See `try_render_blocks`."""
    blocks = try_render_blocks(text)
    return (render_plain(text),) if blocks is None else blocks


@lru_cache(CACHED_TEXTS)
def _render(text: str) -> tuple[Markup, ...]:
    from chatapp.markdown.rendering import render, render_quickly  # The first answer imports the parser, not the start.

    if not is_in_slices():
        return render(text)
    blocks = render_quickly(text, QUICK_SECONDS) if len(text) <= QUICK_CHARS else None
    return _render_in_worker(text) if blocks is None else blocks


def _render_in_worker(text: str) -> tuple[Markup, ...]:
    try:
        return tuple(Markup(block) for block in json.loads(_pool.run(text=text)))  # noqa: S704 - sanitised there
    except Busy:
        raise
    except ChatError:  # Its limits were exceeded, although the budgets should be.
        return (render_plain(text),)
