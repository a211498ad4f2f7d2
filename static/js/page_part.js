// Parts of pages that are loaded again while the rest of the page stays.

import { find, parseHtml } from "./dom.js";

/** @import { Screen } from "./screen.js" */

/**
 * Replace a part of the page on the screen, if it has it, with what the server renders now.
 *
 * @param {Screen} screen
 * @param {string} selector
 * @param {(part: HTMLElement, main: HTMLElement) => void} [prepare] called with the new part before it is shown
 */
export async function reloadPart({ page: { main, path } }, selector, prepare) {
  if (!main.querySelector(selector)) return;
  const response = await fetch(path).catch(() => null);
  // A redirect leads to the sign-in page.
  if (!response?.ok || response.redirected || !main.isConnected) return;
  const part = find(parseHtml(await response.text()), selector);
  const { activeElement } = document;
  prepare?.(part, main);
  find(main, selector).replaceWith(part);
  // An element that was moved to the new part has lost the focus.
  if (activeElement instanceof HTMLElement && part.contains(activeElement))
    activeElement.focus({ preventScroll: true });
}
