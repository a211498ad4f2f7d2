"""Accessibility of pages, as axe checks it."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

Scheme = Literal["dark", "light"]
SCHEMES: tuple[Scheme, ...] = ("dark", "light")
COLOR_RULES = ("color-contrast", "link-in-text-block")

OVERLAYS = "main [popover], .topbar [popover], main dialog"

OPEN = """(overlay) => {
  overlay.id ||= "opened";
  if (overlay instanceof HTMLDialogElement) overlay.showModal();
  else {
    // A confirmation is in the menu from which it is opened.
    overlay.parentElement.closest("[popover]:not(:popover-open)")?.showPopover();
    overlay.showPopover();
  }
  return `#${overlay.id}`;
}"""

MARKUP = """(overlay) => {
  const copy = overlay.cloneNode(true);
  for (const hidden of copy.querySelectorAll("input[type=hidden]")) hidden.removeAttribute("value");
  return copy.outerHTML;
}"""
"""Returns the HTML of an overlay without hidden values, which differ from page to page."""

CLOSE = """(overlay) => {
  if (overlay.id === "opened") overlay.removeAttribute("id");
  if (overlay instanceof HTMLDialogElement) overlay.close();
  else overlay.hidePopover();
}"""

RUN = """async ([selector, rules, impacts]) => {
  // Colors change with transitions, which may not have ended. Endless animations have no end.
  const animations = document.getAnimations();
  const ending = animations.filter(({ effect }) => effect.getComputedTiming().endTime < Infinity);
  for (const animation of ending) animation.finish();
  const options = { resultTypes: ["violations"] };
  if (rules.length) options.runOnly = rules;
  const { violations } = await axe.run(selector, options);
  return violations
    .filter(({ impact }) => !impacts.length || impacts.includes(impact))
    .map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 200)}`);
}"""


def list_violations(page: Page, selector: str = "html", impacts: Sequence[str] = ()) -> list[str]:
    """Return the rule and the first element of each violation in the light and in the dark scheme.

    With `impacts`, return only those of these impacts.
    """
    return list(chain.from_iterable(_check(page, scheme, selector, impacts) for scheme in SCHEMES))


def list_overlay_violations(page: Page, checked: set[str]) -> list[str]:
    """Return the violations in the menus and dialogs of the page, each of them opened.

    Those whose HTML is in `checked` are left out: other pages have them too. The others are added to it.
    """
    problems = []
    for overlay in page.query_selector_all(OVERLAYS):
        markup = str(overlay.evaluate(MARKUP))
        if markup in checked:
            continue
        checked.add(markup)
        selector = overlay.evaluate(OPEN)
        problems += [f"{selector} {violation}" for violation in list_violations(page, selector)]
        overlay.evaluate(CLOSE)
    return problems


def _check(page: Page, scheme: Scheme, selector: str, impacts: Sequence[str]) -> Iterator[str]:
    page.emulate_media(color_scheme=scheme)
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    # The schemes differ in colors only.
    rules = COLOR_RULES if scheme == "dark" else ()
    for violation in page.evaluate(RUN, [selector, list(rules), list(impacts)]):
        yield f"{scheme}: {violation}"
