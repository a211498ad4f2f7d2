// A short notice of what an action has done, which screen readers announce.

import { find } from "./dom.js";

/** Time in which it can be read. */
const SHOWN_MS = 5_000;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** @param {string} text */
export function showToast(text) {
  const toast = find(document, "[data-toast]");
  clearTimeout(timer);
  toast.textContent = text;
  timer = setTimeout(() => (toast.textContent = ""), SHOWN_MS);
}
