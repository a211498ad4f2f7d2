// The menu beside “Send”: when to send the message.

import { enableArrowKeys } from "./arrow_keys.js";
import { fieldValue, formatDue, offeredTimes, parseField } from "./core/due_times.js";
import { find, findAll } from "./dom.js";
import { placeWhenOpened } from "./popover_position.js";

/** @import { Composer } from "./composer.js" */

/**
 * @param {HTMLElement} form
 * @param {Composer} composer
 */
export function enableSendLater(form, composer) {
  const button = find(form, "[data-send-later]");
  const menu = find(form, "[data-send-later-menu]");
  const field = find(menu, "[data-due-field]", HTMLInputElement);
  const error = find(menu, "[data-due-error]");
  /** @type {Record<string, Date | null>} */
  let times = {};

  /** @param {string} text */
  function showError(text) {
    error.textContent = text;
    error.hidden = !text;
  }

  /** @param {Date} date */
  function schedule(date) {
    menu.hidePopover();
    composer.schedule(date);
  }

  function scheduleChosen() {
    const chosen = parseField(field.value, new Date());
    showError(chosen.error ?? "");
    if (chosen.date) schedule(chosen.date);
    else field.focus();
  }

  placeWhenOpened(menu, button);
  enableArrowKeys(menu, { ArrowDown: 1, ArrowUp: -1 });
  button.addEventListener("click", () => {
    if (composer.validate()) menu.showPopover();
  });
  menu.addEventListener("beforetoggle", () => {
    const now = new Date();
    times = offeredTimes(now);
    for (const item of findAll(menu, "[data-due]")) {
      const date = times[item.dataset.due ?? ""];
      item.hidden = !date;
      if (date) find(item, "[data-due-time]").textContent = formatDue(date, now);
    }
    field.min = fieldValue(now);
    field.value ||= fieldValue(times.tomorrow ?? now);
    showError("");
  });
  menu.addEventListener("toggle", (event) => {
    button.ariaExpanded = String(/** @type {ToggleEvent} */ (event).newState === "open");
  });
  for (const item of findAll(menu, "[data-due]")) {
    item.addEventListener("click", () => {
      const date = times[item.dataset.due ?? ""];
      if (date) schedule(date);
    });
  }
  find(menu, "[data-due-chosen]").addEventListener("click", scheduleChosen);
  field.addEventListener("keydown", (event) => {
    // Arrows change the date.
    event.stopPropagation();
    if (event.key !== "Enter") return;
    // It would submit the form of the message.
    event.preventDefault();
    scheduleChosen();
  });
}
