// Suggests people after an "@" in the composer. Arrows select, Enter or Tab accepts, Escape closes.

import { findMentionPrefix } from "./core/mentions.js";
import { closest, findAll, parseHtml } from "./dom.js";

/** A click on an option moves the focus before it arrives. */
const BLUR_DELAY_MS = 150;

/**
 * @param {HTMLTextAreaElement} text
 * @param {HTMLElement} options the list of suggestions
 */
export function completeMentions(text, options) {
  let lastRequest = 0;

  async function suggest() {
    const prefix = currentPrefix();
    const request = ++lastRequest;
    if (prefix === null) return close();
    const response = await fetch(`${options.dataset.source}?prefix=${encodeURIComponent(prefix)}`).catch(() => null);
    if (request !== lastRequest || !response?.ok || response.redirected) return;
    const suggestions = findAll(parseHtml(await response.text()), "[role=option]");
    if (request !== lastRequest) return;
    options.replaceChildren(...suggestions);
    if (suggestions.length === 0) return close();
    options.hidden = false;
    text.setAttribute("aria-expanded", "true");
    select(suggestions[0]);
  }

  function currentPrefix() {
    if (text.selectionStart !== text.selectionEnd) return null;
    return findMentionPrefix(text.value.slice(0, text.selectionStart));
  }

  function close() {
    options.hidden = true;
    text.setAttribute("aria-expanded", "false");
    text.removeAttribute("aria-activedescendant");
  }

  /** @returns {HTMLElement | null} */
  function selected() {
    return options.querySelector("[aria-selected=true]");
  }

  /** @param {Element | null | undefined} option */
  function select(option) {
    if (!option) return;
    const previous = selected();
    if (previous) previous.ariaSelected = "false";
    option.ariaSelected = "true";
    option.scrollIntoView({ block: "nearest" });
    text.setAttribute("aria-activedescendant", option.id);
  }

  /** @param {HTMLElement | null} option */
  function accept(option) {
    const prefix = currentPrefix();
    if (!option || prefix === null) return;
    const start = text.selectionStart - prefix.length;
    text.setRangeText(`${option.dataset.username} `, start, text.selectionStart, "end");
    close();
    text.dispatchEvent(new Event("input", { bubbles: true }));
    text.focus();
  }

  /** @param {KeyboardEvent} event */
  function onKeydown(event) {
    if (options.hidden || event.isComposing) return;
    if (event.key === "ArrowDown") select(selected()?.nextElementSibling);
    else if (event.key === "ArrowUp") select(selected()?.previousElementSibling);
    else if (["Enter", "Tab"].includes(event.key)) accept(selected());
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    // The composer would send on Enter and edit on arrow up.
    event.stopImmediatePropagation();
  }

  text.addEventListener("input", suggest);
  text.addEventListener("keydown", onKeydown, { capture: true });
  text.addEventListener("blur", () => setTimeout(close, BLUR_DELAY_MS));
  options.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    accept(closest(event.target, "[role=option]"));
  });
}
