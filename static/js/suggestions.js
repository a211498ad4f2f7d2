// Questions that an empty conversation with an assistant suggests. A click writes one into the composer.

import { closest } from "./dom.js";

/**
 * @param {HTMLElement} main
 * @param {HTMLTextAreaElement} text
 */
export function offerSuggestions(main, text) {
  main.addEventListener("click", ({ target }) => {
    const suggestion = closest(target, "[data-suggestion]");
    if (!suggestion) return;
    text.value = suggestion.textContent ?? "";
    text.dispatchEvent(new Event("input", { bubbles: true }));
    text.focus();
  });
}
