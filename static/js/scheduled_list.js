// Updates the page Scheduled, and shows toasts when a scheduled message or a reminder changes.

import { find, findAll } from "./dom.js";
import { reloadPart } from "./page_part.js";
import { onLocalTimeChange } from "./reader_clock.js";
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
  /** @type {Set<number>} the messages that were sent or deleted, as far as this window knows */
  const gone = new Set();
  const refresh = () => reloadPart(screen, "[data-scheduled]", (list, main) => keepEdited(list, main, gone));
  connection.on("scheduled_changed", ({ id, state, problem }) => {
    seen.set(screen.page, ++changes);
    if (state === "sent" || state === "deleted") gone.add(id);
    if (state === "failed") showToast(`A scheduled message was not sent: ${problem}`);
    refresh();
  });
  connection.on("reminder_changed", ({ state, content }) => {
    if (state === "due") showToast(content ? `Reminder: ${content}` : "Reminder about a message");
    refresh();
  });
  connection.watchState((state) => state === "connected" && refresh());
  // "Tomorrow at 9:00" is another day now.
  onLocalTimeChange(refresh);
  screen.on("shown", (page) => {
    if ((seen.get(page) ?? changes) < changes) sidebar.refresh();
    seen.set(page, changes);
  });
}

/**
 * What somebody is editing stays as it is, also when its message was sent meanwhile, or is on another page of the list:
 * the text is not lost.
 *
 * @param {HTMLElement} list
 * @param {HTMLElement} main
 * @param {ReadonlySet<number>} gone
 */
function keepEdited(list, main, gone) {
  for (const item of findAll(main, "[data-scheduled-id]:has(details[open])")) {
    const { scheduledId } = item.dataset;
    const shown = list.querySelector(`[data-scheduled-id="${scheduledId}"]`);
    if (shown) shown.replaceWith(item);
    else if (isChanged(item)) {
      // If this window does not know that it is gone, the server explains it when the changes are saved.
      if (gone.has(Number(scheduledId))) explainRemoval(item);
      list.querySelector("ul")?.prepend(item);
    }
  }
}

/** @param {HTMLElement} item */
function isChanged(item) {
  const text = item.querySelector("textarea");
  const hasChangedFiles = findAll(item, "input").some(
    (input) => input.matches(":checked") || Reflect.get(input, "files")?.length,
  );
  return text !== null && (text.value !== text.defaultValue || hasChangedFiles);
}

/** @param {HTMLElement} item */
function explainRemoval(item) {
  if (item.querySelector("[data-removed]")) return;
  const notice = document.createElement("p");
  notice.className = "notice is-warning";
  notice.role = "alert";
  notice.dataset.removed = "";
  notice.textContent = "This message was sent or deleted. Your changes were not saved.";
  item.prepend(notice);
  for (const form of findAll(item, ".listed-foot > form")) form.remove();
  find(item, "[type=submit]").remove();
}
