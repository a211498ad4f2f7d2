// Menus that ask for a time: the one beside “Send”, and the one of a message of which to be reminded.

import { enableArrowKeys } from "./arrow_keys.js";
import { describeError } from "./core/connection.js";
import { fieldValue, formatDue, offeredTimes, parseField, proposeValue } from "./core/due_times.js";
import { randomUuid } from "./core/uuid.js";
import { find, findAll } from "./dom.js";
import { seqOf } from "./message_element.js";
import { placeWhenOpened } from "./popover_position.js";
import { showToast } from "./toast.js";

/** @import { Composer } from "./composer.js" */
/** @import { MessageToolbar } from "./message_toolbar.js" */
/** @import { PageConnection } from "./core/page_connection.js" */

/**
 * @param {HTMLElement} form
 * @param {Composer} composer
 */
export function enableSendLater(form, composer) {
  const button = find(form, "[data-send-later]");
  const menu = find(form, "[data-send-later-menu]");
  enableDueMenu(menu, button, (date) => composer.schedule(date));
  button.addEventListener("click", () => {
    if (composer.validate()) menu.showPopover();
  });
  menu.addEventListener("toggle", (event) => {
    button.ariaExpanded = String(/** @type {ToggleEvent} */ (event).newState === "open");
  });
}

/**
 * @param {HTMLElement} main
 * @param {MessageToolbar} toolbar
 * @param {PageConnection} connection
 * @param {string} conversation
 */
export function enableReminders(main, toolbar, connection, conversation) {
  const menu = find(main, "[data-remind-menu]");
  let seq = 0;
  enableDueMenu(menu, find(toolbar.element, "[data-open-menu]"), async (date) => {
    toolbar.hideAfterTouch();
    try {
      const payload = { conversation, seq, client_id: randomUuid(), due_at: date.toISOString() };
      const { reminder } = await connection.request("remind_me", payload);
      showToast(`Reminder set: ${formatDue(new Date(reminder.due_at), new Date())}`);
    } catch (error) {
      showToast(describeError(error));
    }
  });
  find(toolbar.menu, "[data-remind]").addEventListener("click", () => {
    seq = seqOf(toolbar.message);
    menu.showPopover();
  });
}

/**
 * @param {HTMLElement} menu
 * @param {HTMLElement} anchor
 * @param {(date: Date) => void} onChosen
 */
function enableDueMenu(menu, anchor, onChosen) {
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
    onChosen(date);
  }

  function scheduleChosen() {
    const chosen = parseField(field.value, new Date());
    showError(chosen.error ?? "");
    if (chosen.date) schedule(chosen.date);
    else field.focus();
  }

  placeWhenOpened(menu, anchor);
  enableArrowKeys(menu, { ArrowDown: 1, ArrowUp: -1 });
  menu.addEventListener("beforetoggle", () => {
    const now = new Date();
    times = offeredTimes(now);
    for (const item of findAll(menu, "[data-due]")) {
      const date = times[item.dataset.due ?? ""];
      item.hidden = !date;
      if (date) find(item, "[data-due-time]").textContent = formatDue(date, now);
    }
    field.min = fieldValue(now);
    field.value = proposeValue(field.value, now);
    showError("");
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
