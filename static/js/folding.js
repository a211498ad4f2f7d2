// Long messages and long code are folded. The server decides which, so that nothing moves when the page starts.

import { closest, findAll } from "./dom.js";
import { messageOf } from "./message_element.js";

const LONG = ".is-long";

/** @param {HTMLElement} list the messages */
export function enableFolding(list) {
  list.addEventListener("click", ({ target }) => {
    const button = closest(target, "[data-fold]");
    const long = button && longOf(button);
    if (!button || !long) return;
    unfold(button, long, !long.classList.contains("is-unfolded"));
    if (button.ariaExpanded === "false") messageOf(button)?.scrollIntoView({ block: "nearest" });
  });
  // What has the focus must be visible.
  list.addEventListener("focusin", ({ target }) => {
    const long = closest(target, `.message-body${LONG}`);
    const button = long?.parentElement?.querySelector(":scope > [data-fold]");
    if (!long || !(button instanceof HTMLElement) || !(target instanceof Element)) return;
    if (target.matches(":focus-visible")) unfold(button, long, true);
  });
  // After a reaction, what was unfolded stays so.
  list.addEventListener("message:replaced", ({ detail: { oldElement, newElement } }) => {
    const oldButtons = findAll(oldElement, "[data-fold]");
    for (const [index, button] of findAll(newElement, "[data-fold]").entries()) {
      const long = longOf(button);
      if (long && oldButtons[index]?.ariaExpanded === "true") unfold(button, long, true);
    }
  });
}

/**
 * @param {HTMLElement} button
 * @param {HTMLElement} long what it unfolds
 * @param {boolean} isUnfolded
 */
function unfold(button, long, isUnfolded) {
  long.classList.toggle("is-unfolded", isUnfolded);
  button.ariaExpanded = String(isUnfolded);
  button.textContent = isUnfolded ? "Show less" : "Show more";
}

/**
 * Return the code that the button is in, or else the body of its message.
 *
 * @param {HTMLElement} button
 * @returns {HTMLElement | null}
 */
const longOf = (button) => closest(button, `.code${LONG}`) ?? button.parentElement?.querySelector(LONG) ?? null;
