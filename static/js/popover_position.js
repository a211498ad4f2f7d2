// Places popovers at the element that opens them.

import { findAll } from "./dom.js";

/** Distance from the element, and from the edge of the window. */
const GAP_PX = 6;

/**
 * Place an open popover above an element, or below it if there is no room.
 *
 * @param {HTMLElement} popover
 * @param {DOMRect} anchor
 */
export function placePopover(popover, anchor) {
  const { offsetWidth: width, offsetHeight: height } = popover;
  const { clientWidth, clientHeight } = document.documentElement;
  const isAbove = anchor.top > height + 2 * GAP_PX;
  const top = isAbove ? anchor.top - height - GAP_PX : Math.min(anchor.bottom, clientHeight - height) + GAP_PX;
  const left = Math.min(anchor.right - width, clientWidth - width - GAP_PX);
  popover.style.top = `${Math.max(GAP_PX, Math.min(top, clientHeight - height - GAP_PX))}px`;
  popover.style.left = `${Math.max(GAP_PX, left)}px`;
}

/**
 * Place a popover at the element that opens it, and focus its first visible button.
 *
 * @param {HTMLElement} popover
 * @param {HTMLElement} anchor
 */
export function placeWhenOpened(popover, anchor) {
  // It has a size when it is open, perhaps a frame before the event.
  popover.addEventListener("beforetoggle", () => {
    popover.style.visibility = "hidden";
  });
  popover.addEventListener("toggle", (event) => {
    if (/** @type {ToggleEvent} */ (event).newState !== "open") return;
    placePopover(popover, anchor.getBoundingClientRect());
    popover.style.visibility = "";
    findAll(popover, "button")
      .find((button) => button.checkVisibility())
      ?.focus();
  });
}
