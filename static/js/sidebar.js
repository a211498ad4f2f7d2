import { parseHtml } from "./html.js";

/**
 * The list of conversations, fetched again when it has become another one, or may have while the page was not connected
 * or not looked at. Dispatches `refreshed`.
 */
export class Sidebar extends EventTarget {
  #lists = document.querySelector("[data-sidebar]");
  #wasConnected = false;
  #isFetching = false;
  #isStale = false;

  /** @param {import("./connection.js").Connection} connection */
  constructor(connection) {
    super();
    connection.on("sidebar_changed", () => this.refresh());
    connection.watch((state) => {
      if (state !== "connected") return;
      if (this.#wasConnected) this.refresh();
      this.#wasConnected = true;
    });
    document.addEventListener("visibilitychange", () => document.hidden || this.refresh());
  }

  /** The conversations' links. */
  get entries() {
    return [...this.#lists.querySelectorAll("[data-entry]")];
  }

  find(conversation) {
    return this.#lists.querySelector(`[data-entry="${CSS.escape(conversation)}"]`);
  }

  /** Put a conversation at the head of its list. */
  raise(entry) {
    const item = entry.closest("li");
    if (item.previousElementSibling) item.parentElement.prepend(item);
  }

  /** Fetch it again. What makes it stale meanwhile has it fetched once more. */
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
    const response = await fetch("/sidebar").catch(() => null);
    // A redirect leads to the sign-in.
    if (!response?.ok || response.redirected) return;
    const fresh = parseHtml(await response.text());
    for (const link of fresh.querySelectorAll("a.sidebar-link")) {
      link.toggleAttribute("aria-current", false);
      if (link.getAttribute("href") === decodeURIComponent(location.pathname))
        link.setAttribute("aria-current", "page");
    }
    this.#lists.replaceChildren(...fresh.childNodes);
    this.dispatchEvent(new Event("refreshed"));
  }
}
