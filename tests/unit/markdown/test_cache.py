"""Rendering in the process or in a worker process, with green threads in a process of their own."""

import pytest
from markupsafe import Markup

from chatapp.errors import Busy, TooComplex
from chatapp.markdown import cache
from chatapp.markdown.rendering import render
from tests.harness.programs import run_program

PROGRAM = """
import eventlet
eventlet.monkey_patch()
from chatapp.concurrency.cooperation import in_slices
from chatapp.markdown.cache import _pool, render_blocks
from chatapp.markdown.rendering import render

HOSTILE = "*a_" * 3_000

def count_workers():
    return len(_pool.list_idle_pids())

outside = render_blocks(HOSTILE + "1")
with in_slices():
    quick = render_blocks("A **short** answer with `code`.")
print(count_workers(), quick == render("A **short** answer with `code`."))

ticks = 0

def tick():
    global ticks
    while True:
        ticks += 1
        eventlet.sleep(0.001)

eventlet.spawn(tick)
with in_slices():
    before = ticks
    blocks = render_blocks(HOSTILE + "2")
print(count_workers(), blocks == render(HOSTILE + "2"), type(blocks[0]).__name__, ticks > before)
with in_slices():
    before = ticks
    again = render_blocks(HOSTILE + "2")
print(again is blocks, ticks == before)
_pool.close()
"""


def test_within_slices_a_worker_process_renders_what_takes_long_and_the_result_is_kept() -> None:
    run = run_program(PROGRAM)
    assert run.stdout.splitlines() == ["0 True", "1 True Markup True", "True True"], run.stderr


class Pool:
    """A pool of workers that raises an error."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self.calls = 0

    def run(self, **_arguments: object) -> bytes:
        """Raise the error."""
        self.calls += 1
        raise self._error


@pytest.mark.parametrize(("error", "calls"), [(Busy("Busy."), 2), (TooComplex("Too complex."), 1)])
def test_a_text_is_shown_as_it_is_written_if_no_worker_renders_it(
    monkeypatch: pytest.MonkeyPatch, error: Exception, calls: int
) -> None:
    pool = Pool(error)
    text = f"**bold** {error}" + "*a_" * 3_000
    monkeypatch.setattr(cache, "is_in_slices", lambda: True)
    monkeypatch.setattr(cache, "_pool", pool)
    for _ in range(2):
        (block,) = cache.render_blocks(text)
        assert block.startswith(Markup('<p class="plain">**bold** '))
    assert pool.calls == calls, "a busy worker is asked again"


def test_code_that_takes_long_to_highlight_is_left_to_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "QUICK_SECONDS", 0.0)
    monkeypatch.setattr(cache, "is_in_slices", lambda: True)
    monkeypatch.setattr(cache, "_render_in_worker", lambda *_arguments: (Markup("by the worker"),))
    assert cache.render_blocks("```python\nprint(1)\n```") == (Markup("by the worker"),)
    assert cache.render_blocks("```python\nprint(1)\n```") != render("```python\nprint(1)\n```")


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> cache._Rendered:
    """Replace what is cached by an empty cache, in which live events may use as much time as they need."""
    monkeypatch.setattr(cache, "LIVE_SECONDS", 1_000.0)
    monkeypatch.setattr(cache, "_rendered", empty := cache._Rendered())
    return empty


def test_a_live_event_shows_only_what_is_rendered_quickly(
    rendered: cache._Rendered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "QUICK_SECONDS", 60.0)
    assert cache.try_render_blocks("**short**", is_live=True) == render("**short**")
    long = "**long** " * cache.QUICK_CHARS
    assert cache.try_render_blocks(long, is_live=True) is None
    monkeypatch.setattr(cache, "is_in_slices", lambda: True)
    monkeypatch.setattr(cache, "_render_in_worker", lambda *_arguments: (Markup("by the worker"),))
    assert cache.try_render_blocks(long) == (Markup("by the worker"),)
    monkeypatch.setattr(cache, "is_in_slices", lambda: False)
    assert cache.try_render_blocks(long, is_live=True) == (Markup("by the worker"),)


def test_a_short_text_that_is_slow_is_tried_once(rendered: cache._Rendered, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "QUICK_SECONDS", 0.0)
    assert cache.try_render_blocks("*slow*", is_live=True) is None
    monkeypatch.setattr(cache, "QUICK_SECONDS", 60.0)
    assert cache.try_render_blocks("*slow*", is_live=True) is None
    assert cache.try_render_blocks("*quick*", is_live=True) is not None


def test_many_live_events_together_use_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "QUICK_SECONDS", 60.0)
    monkeypatch.setattr(cache, "LIVE_SHARE", 1e-9)
    monkeypatch.setattr(cache, "LIVE_SECONDS", 1e-6)
    monkeypatch.setattr(cache, "_rendered", cache._Rendered())
    assert cache.try_render_blocks("*first*", is_live=True) is not None
    assert cache.try_render_blocks("*second*", is_live=True) is None
    assert cache.try_render_blocks("*second*") is not None, "an answer"


def test_the_names_that_are_highlighted_belong_to_the_key(rendered: cache._Rendered) -> None:
    assert cache.try_render_blocks("*@ana*") == render("*@ana*")
    assert cache.try_render_blocks("*@ana*", frozenset({"ana"})) == render("*@ana*", ["ana"])
