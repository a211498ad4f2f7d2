// The fields in which people choose a date to jump to. Without JavaScript they are empty.

import { isoDay } from "./core/dates.js";
import { closeMenu, closest, find, findAll } from "./dom.js";
import { nextMessage } from "./message_element.js";

/** Suggest the day of the line that was clicked, and end the fields with today. The menu closes with the jump. */
export function enableDateFields() {
  document.addEventListener("click", ({ target }) => {
    const separator = closest(target, ".date-separator");
    if (!separator) return;
    const created = nextMessage(separator)?.dataset.created;
    if (created) find(document, "#day", HTMLInputElement).value = isoDay(new Date(created));
  });
  document.addEventListener("toggle", ({ target }) => limitToToday(target), { capture: true });
  document.addEventListener("submit", ({ target }) => {
    closeMenu(closest(target, "[data-jump-to-date]"));
  });
}

/** @param {EventTarget | null} target */
function limitToToday(target) {
  if (!(target instanceof HTMLElement)) return;
  for (const field of findAll(target, "[data-jump-to-date] [type=date]")) {
    /** @type {HTMLInputElement} */ (field).max = isoDay(new Date());
  }
}
