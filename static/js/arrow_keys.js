// Arrow keys that move the focus between the buttons and links of a popover.

import { findAll } from "./dom.js";

/**
 * Move the focus from the last visible button to the first one, and back.
 *
 * @param {HTMLElement} container
 * @param {Record<string, number>} steps by the name of the key
 */
export function enableArrowKeys(container, steps) {
  container.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (!step || !(document.activeElement instanceof HTMLElement)) return;
    const buttons = findAll(container, "button, a").filter((button) => button.checkVisibility());
    event.preventDefault();
    buttons.at((buttons.indexOf(document.activeElement) + step) % buttons.length)?.focus();
  });
}
