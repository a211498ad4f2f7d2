// Updates the page Scheduled, and shows toasts when a scheduled message or a reminder changes.

import { findAll } from "./dom.js";
import { reloadPart } from "./page_part.js";
import { showToast } from "./toast.js";

/** @import { Connection } from "./core/connection.js" */
/** @import { Page } from "./page.js" */
/** @import { Screen } from "./screen.js" */
/** @import { Sidebar } from "./sidebar.js" */

/**
 * @param {Screen} screen
 * @param {Sidebar} sidebar
 * @param {Connection} connection
 */
export function followScheduled(screen, sidebar, connection) {
  let changes = 0;
  /** @type {WeakMap<Page, number>} how many changes each page had seen when it was shown last */
  const seen = new WeakMap();
  const refresh = () => reloadPart(screen, "[data-scheduled]", keepEdited);
  connection.on("scheduled_changed", ({ state, problem }) => {
    seen.set(screen.page, ++changes);
    if (state === "failed") showToast(`A scheduled message was not sent: ${problem}`);
    refresh();
  });
  connection.on("reminder_changed", ({ state, content }) => {
    if (state === "due") showToast(content ? `Reminder: ${content}` : "Reminder about a message");
    refresh();
  });
  connection.watchState((state) => state === "connected" && refresh());
  screen.on("shown", (page) => {
    if ((seen.get(page) ?? changes) < changes) sidebar.refresh();
    seen.set(page, changes);
  });
}

/**
 * What somebody is editing stays as it is.
 *
 * @param {HTMLElement} list
 * @param {HTMLElement} main
 */
function keepEdited(list, main) {
  for (const item of findAll(main, "[data-scheduled-id]:has(details[open])"))
    list.querySelector(`[data-scheduled-id="${item.dataset.scheduledId}"]`)?.replaceWith(item);
}
