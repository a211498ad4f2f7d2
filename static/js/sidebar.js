// The list of conversations. It is fetched again after a change, after a reconnect, and when the page becomes visible.

import { TypedEventTarget } from "./core/typed_event_target.js";
import { find, findAll, parseHtml } from "./dom.js";

/** @import { Connection } from "./core/connection.js" */

/**
 * Emits `requested` when it asks the server for the list, and `refreshed` when it shows the response.
 *
 * @extends {TypedEventTarget<{requested: void, refreshed: void}>}
 */
export class Sidebar extends TypedEventTarget {
  #lists = find(document, "[data-sidebar]");
  #wasConnected = false;
  #isFetching = false;
  #isStale = false;

  /** @param {Connection} connection */
  constructor(connection) {
    super();
    connection.on("sidebar_changed", () => this.refresh());
    connection.on("unread_changed", () => {
      // The response that is on its way may have the counts from before.
      if (this.#isFetching) this.#isStale = true;
    });
    connection.watchState((state) => {
      if (state !== "connected") return;
      if (this.#wasConnected) this.refresh();
      this.#wasConnected = true;
    });
    document.addEventListener("visibilitychange", () => document.hidden || this.refresh());
  }

  /** Whether the page waits for the list. */
  get isFetching() {
    return this.#isFetching;
  }

  /** The links to the conversations. */
  get entries() {
    return findAll(this.#lists, "[data-entry]");
  }

  /** The title of the conversation that the page shows, as of the last refresh; empty if it shows none. */
  get openTitle() {
    return this.#lists.querySelector("[data-open-title]")?.textContent ?? "";
  }

  /**
   * @param {string} conversation
   * @returns {HTMLElement | null}
   */
  find(conversation) {
    return this.#lists.querySelector(`[data-entry="${CSS.escape(conversation)}"]`);
  }

  /**
   * Move a conversation to the top of its section.
   *
   * @param {HTMLElement} entry
   */
  moveToTop(entry) {
    const item = entry.closest("li");
    if (item?.previousElementSibling) item.parentElement?.prepend(item);
  }

  /** Fetch the list again, and once more if it has changed in the meantime. */
  async refresh() {
    this.#isStale = true;
    if (this.#isFetching) return;
    this.#isFetching = true;
    while (this.#isStale) {
      this.#isStale = false;
      await this.#fetch();
    }
    this.#isFetching = false;
  }

  async #fetch() {
    const [open] = findAll(document, "main[data-conversation]");
    const query = open ? `?conversation=${open.dataset.conversation}` : "";
    this.emit("requested");
    const response = await fetch(`/sidebar${query}`).catch(() => null);
    // A redirect leads to the sign-in page.
    if (!response?.ok || response.redirected) return;
    const lists = parseHtml(await response.text());
    for (const link of findAll(lists, "a.sidebar-link")) {
      link.toggleAttribute("aria-current", false);
      if (link.getAttribute("href") === decodeURIComponent(location.pathname))
        link.setAttribute("aria-current", "page");
    }
    this.#lists.replaceChildren(...lists.childNodes);
    this.emit("refreshed");
  }
}
