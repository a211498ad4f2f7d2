// Spoilers: text of a message that is hidden until somebody asks for it.

import { closest } from "./dom.js";

/** @param {HTMLElement} list the messages */
export function enableSpoilers(list) {
  list.addEventListener("click", ({ target }) => {
    const button = closest(target, "[data-spoiler]");
    const text = button?.nextElementSibling;
    if (!button || !(text instanceof HTMLElement)) return;
    button.parentElement?.classList.add("is-revealed");
    // The button is gone.
    text.focus();
  });
}
