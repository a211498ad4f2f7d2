// Marks the conversation of the page as read, or all of them, after a confirmation.

import { closeMenu, closest, find } from "./dom.js";

/** @import { Connection } from "./core/connection.js" */
/** @import { Screen } from "./screen.js" */
/** @import { Sidebar } from "./sidebar.js" */

export class MarkAllRead {
  #dialog = find(document, "[data-mark-all-dialog]", HTMLDialogElement);
  #sidebar;
  #screen;
  #connection;

  /**
   * @param {Sidebar} sidebar
   * @param {Screen} screen
   * @param {Connection} connection
   */
  constructor(sidebar, screen, connection) {
    this.#sidebar = sidebar;
    this.#screen = screen;
    this.#connection = connection;
    this.#dialog.addEventListener("close", () => {
      if (this.#dialog.returnValue === "mark") this.#mark();
    });
  }

  /** Returns whether there are unread messages. */
  ask() {
    const count = this.#sidebar.unreadEntries.length;
    if (count === 0) return false;
    find(this.#dialog, "[data-count]").textContent = count === 1 ? "1 conversation has" : `${count} conversations have`;
    this.#dialog.returnValue = "";
    this.#dialog.showModal();
    return true;
  }

  /** Also the muted ones. The counts follow when the server has confirmed. What arrives in the meantime stays unread. */
  async #mark() {
    this.#screen.page.markRead();
    const unread = this.#sidebar.entries.filter((entry) => Number(find(entry, "[data-badge]").dataset.unread) > 0);
    const markers = unread.map(({ dataset }) => ({
      conversation: dataset.entry ?? "",
      seq: Number(dataset.lastEvent),
    }));
    for (const marker of markers) await this.#connection.request("mark_as_read", marker).catch(() => {});
  }
}

/**
 * Handle the forms that mark the conversation of the page as read. Without JavaScript they are posted.
 *
 * @param {Screen} screen
 */
export function markReadBy(screen) {
  document.addEventListener("submit", (event) => {
    const form = closest(event.target, "[data-mark-read]");
    if (!form) return;
    event.preventDefault();
    closeMenu(form);
    screen.page.markRead();
  });
}
