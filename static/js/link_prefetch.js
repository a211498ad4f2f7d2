// Fetches the page behind a link as soon as the mouse rests on it or a finger touches it.

import { closest } from "./dom.js";

/** @import { PageLoader } from "./page_loader.js" */

/** The mouse only passes over links that it leaves earlier. */
const HOVER_MS = 65;

/**
 * @param {PageLoader} loader
 * @param {(path: string) => boolean} isNeeded whether the page would have to be loaded
 */
export function prefetchLinks(loader, isNeeded) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  /** @param {EventTarget | null} target */
  function prefetch(target) {
    const path = pathOf(target);
    if (path && isNeeded(path)) loader.prefetch(path);
  }

  document.addEventListener("pointerover", ({ target, pointerType }) => {
    clearTimeout(timer);
    if (pointerType === "mouse" && pathOf(target)) timer = setTimeout(() => prefetch(target), HOVER_MS);
  });
  document.addEventListener("pointerdown", ({ target }) => prefetch(target), { passive: true });
}

/**
 * Return the path of a link to another page of the window. Links in messages are not fetched without a click,
 * nor are filters, which change the results of the page.
 *
 * @param {EventTarget | null} target
 */
function pathOf(target) {
  const link = closest(target, "a[href]");
  if (!(link instanceof HTMLAnchorElement) || link.origin !== location.origin) return null;
  if (link.hasAttribute("download") || link.target || link.closest(".message-body, [data-search-words]")) return null;
  const path = link.pathname + link.search;
  return path === location.pathname + location.search ? null : path;
}
