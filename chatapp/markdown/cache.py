"""Rendered Markdown, which no reader waits for twice."""

import json
import time
from collections.abc import Sequence
from typing import Literal

from markupsafe import Markup

from chatapp.caches import SizedCache
from chatapp.concurrency.cooperation import is_in_slices
from chatapp.concurrency.worker_processes import WorkerPool
from chatapp.errors import Busy, ChatError
from chatapp.markdown.plain import render_plain
from chatapp.socket_engine.token_bucket import TokenBucket

Blocks = tuple[Markup, ...]

QUICK_SECONDS = 0.002
"""Budget of a short text before a worker process renders it."""

QUICK_CHARS = 1_000
"""Maximum length of a short text. Most longer ones exceed the budget, and some by far: it is checked now and then."""

LIVE_SECONDS = 0.03
"""Processor time that live events may use for Markdown at once: others wait for it."""

LIVE_SHARE = 0.5
"""Share of the processor's time that live events may use for Markdown."""

CACHED_CHARS = 4_000_000
"""Size of the cache: of the texts and of their HTML."""

BYTES_PER_TEXT = 200
"""Approximate size of an entry without its texts."""

_pool = WorkerPool("markdown", processes=1, max_queued=100, memory_mb=256, timeout_seconds=10.0)


class _Rendered:
    """What is known of texts and the names that are highlighted in them: their blocks, or that these are not quick."""

    def __init__(self) -> None:
        self._blocks: SizedCache[tuple[str, frozenset[str]], Blocks] = SizedCache(CACHED_CHARS, _size)
        self._is_slow: SizedCache[tuple[str, frozenset[str]], Literal[True]] = SizedCache(CACHED_CHARS, _size)
        self._live = TokenBucket(LIVE_SHARE, LIVE_SECONDS)

    def get_blocks(self, text: str, names: frozenset[str], *, is_live: bool) -> Blocks | None:
        """Return the blocks. Return None if `is_live` and they are not quick. Raises `Busy`."""
        key = text, names
        blocks = self._blocks.get(key)
        if blocks is None:
            blocks = self._render(text, names, is_live=is_live)
            if blocks is not None:
                self._blocks.add(key, blocks)
        return blocks

    def _render(self, text: str, names: frozenset[str], *, is_live: bool) -> Blocks | None:
        if is_in_slices():
            blocks = self._render_quickly(text, names)
            return _render_in_worker(text, names) if blocks is None else blocks
        if not is_live:
            from chatapp.markdown.rendering import render  # The first text with markup imports the parser.

            return render(text, names)
        if not self._live.try_consume(0.0):
            return None
        started = time.thread_time()
        blocks = self._render_quickly(text, names)
        self._live.consume(time.thread_time() - started)
        return blocks

    def _render_quickly(self, text: str, names: frozenset[str]) -> Blocks | None:
        key = text, names
        if len(text) > QUICK_CHARS or self._is_slow.get(key):
            return None
        from chatapp.markdown.rendering import render_quickly

        blocks = render_quickly(text, QUICK_SECONDS, names)
        if blocks is None:
            self._is_slow.add(key, True)
        return blocks


def _size(key: tuple[str, frozenset[str]], value: Sequence[Markup] | Literal[True]) -> int:
    return len(key[0]) + BYTES_PER_TEXT + (0 if value is True else sum(map(len, value)))


_rendered = _Rendered()


def try_render_blocks(text: str, names: frozenset[str] = frozenset(), *, is_live: bool = False) -> Blocks | None:
    """Render a text as one piece of HTML for each of its blocks (paragraph, list, block of code).

    The mentioned `names` are highlighted. A text that takes too long is shown as it is written. Within `in_slices` this
    may wait for a worker process: the parser cannot be interrupted everywhere, and what it allocates makes garbage
    collections long. Return None if too many texts wait for one already.

    With `is_live` and outside of `in_slices`, return None for a text that is not rendered quickly: nobody waits for it.
    """
    try:
        return _rendered.get_blocks(text, names, is_live=is_live)
    except Busy:
        return None


def render_blocks(text: str) -> Blocks:
    """Render a text, or show it as it is written, also if it could be rendered later. See `try_render_blocks`."""
    blocks = try_render_blocks(text)
    return (render_plain(text),) if blocks is None else blocks


def _render_in_worker(text: str, names: frozenset[str]) -> Blocks:
    try:
        blocks = json.loads(_pool.run(text=text, mentioned=sorted(names)))
        return tuple(Markup(block) for block in blocks)  # noqa: S704 - sanitised there
    except Busy:
        raise
    except ChatError:  # Its limits were exceeded, although the budgets should be.
        return (render_plain(text),)
