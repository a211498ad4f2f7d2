// A short notice of what an action has done, which screen readers announce.

import { find } from "./dom.js";

/** Time in which it can be read. */
const SHOWN_MS = 5_000;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/**
 * @typedef {object} ToastAction a button in the toast
 * @property {string} label
 * @property {() => void} run is called when the button is pressed, which hides the toast
 * @property {number} ms how long the toast is shown
 */

/**
 * @param {string} text
 * @param {ToastAction} [action]
 */
export function showToast(text, action) {
  const toast = find(document, "[data-toast]");
  clearTimeout(timer);
  toast.textContent = text;
  if (action) toast.append(createButton(action));
  timer = setTimeout(hideToast, action?.ms ?? SHOWN_MS);
}

export function hideToast() {
  clearTimeout(timer);
  find(document, "[data-toast]").textContent = "";
}

/** @param {ToastAction} action */
function createButton({ label, run }) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "toast-action";
  button.textContent = label;
  button.addEventListener("click", () => {
    hideToast();
    run();
  });
  return button;
}
