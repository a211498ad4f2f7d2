// Updates the page Scheduled, and shows toasts when a scheduled message or a reminder changes.

import { find, findAll, parseHtml } from "./dom.js";
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
  connection.on("scheduled_changed", ({ state, problem }) => {
    seen.set(screen.page, ++changes);
    if (state === "failed") showToast(`A scheduled message was not sent: ${problem}`);
    refresh(screen);
  });
  connection.on("reminder_changed", ({ state, content }) => {
    if (state === "due") showToast(content ? `Reminder: ${content}` : "Reminder of a message: see Scheduled");
    refresh(screen);
  });
  screen.on("shown", (page) => {
    if ((seen.get(page) ?? changes) < changes) sidebar.refresh();
    seen.set(page, changes);
  });
}

/** @param {Screen} screen */
async function refresh({ page: { main, path } }) {
  if (!main.querySelector("[data-scheduled]")) return;
  const response = await fetch(path).catch(() => null);
  // A redirect leads to the sign-in page.
  if (!response?.ok || response.redirected || !main.isConnected) return;
  const list = find(parseHtml(await response.text()), "[data-scheduled]");
  for (const item of findAll(main, "[data-scheduled-id]:has(details[open])")) {
    // What somebody is editing stays as it is.
    list.querySelector(`[data-scheduled-id="${item.dataset.scheduledId}"]`)?.replaceWith(item);
  }
  find(main, "[data-scheduled]").replaceWith(list);
}
