// The list of conversations. It is fetched again after a change, after a reconnect, and when the page becomes visible.

import { TypedEventTarget } from "./core/typed_event_target.js";
import { formatCount } from "./core/unread_counts.js";
import { find, findAll, parseHtml } from "./dom.js";
import { decodePath } from "./paths.js";

/** @import { ThreadState } from "./protocol.js" */
/** @import { Connection } from "./core/connection.js" */
/** @import { FallbackStorage } from "./core/fallback_storage.js" */
/** @import { NotificationLevel } from "./core/notification_rules.js" */

/** Where the scroll position is kept while a page is loaded in full. */
const SCROLL_KEY = "chatapp:sidebar-scroll";

/**
 * @typedef {object} OpenedConversation
 * @property {string} title
 * @property {string} topic of a room
 * @property {string | null} memberCount of a room
 * @property {number} scheduled the number of messages that the person has scheduled for it
 * @property {string} archivedText why nobody can post in it; empty if it is not archived
 * @property {HTMLTemplateElement} preferences the items of its menu that show what the person has set
 */

/**
 * Emits `requested` when it asks the server for the list, and `refreshed` when it shows the response.
 *
 * @extends {TypedEventTarget<{requested: void, refreshed: void}>}
 */
export class Sidebar extends TypedEventTarget {
  lists = find(document, "[data-sidebar]");
  #drawer = find(document, "#sidebar");
  #wasConnected = false;
  #isFetching = false;
  #isStale = false;
  /** @type {Map<string, boolean>} whether a thread is unread, of those that have changed */
  #unreadThreads = new Map();
  /** The links to the current page. That of a thread beside its conversation is not the one in the address. */
  #currentPaths = findAll(document, ".sidebar a[aria-current]").map(pathOf);

  /**
   * @param {Connection} connection
   * @param {FallbackStorage} storage of the tab
   */
  constructor(connection, storage) {
    super();
    this.lists.scrollTop = Number(storage.get(SCROLL_KEY));
    window.addEventListener("pagehide", () => storage.set(SCROLL_KEY, String(this.lists.scrollTop)));
    this.#drawer.addEventListener("toggle", () => this.revealCurrent());
    connection.on("sidebar_changed", () => this.refresh());
    connection.on("scheduled_changed", () => this.refresh());
    connection.on("reminder_changed", () => this.refresh());
    connection.on("thread_changed", (state) => this.#onThreadChanged(state));
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

  /**
   * The number of unread threads changes only when one becomes unread, or read.
   *
   * @param {ThreadState} state
   */
  #onThreadChanged({ conversation, thread, unread }) {
    const key = `${conversation}:${thread}`;
    const isUnread = unread > 0;
    if (this.#unreadThreads.get(key) === isUnread) return;
    this.#unreadThreads.set(key, isUnread);
    this.refresh();
  }

  /** Whether the page waits for the list. */
  get isFetching() {
    return this.#isFetching;
  }

  /** The links to the conversations. */
  get entries() {
    return findAll(this.lists, "[data-entry]");
  }

  /** The links to conversations with unread messages that are not muted. */
  get unreadEntries() {
    return this.entries.filter((entry) => entry.matches(".is-unread"));
  }

  /**
   * The state of the conversation that the page shows, as of the last refresh; null if it shows none.
   *
   * @returns {OpenedConversation | null}
   */
  get opened() {
    const element = this.lists.querySelector("[data-opened]");
    if (!(element instanceof HTMLTemplateElement)) return null;
    const { title = "", topic = "", memberCount = null, scheduled, archivedText = "" } = element.dataset;
    return { title, topic, memberCount, scheduled: Number(scheduled), archivedText, preferences: element };
  }

  /**
   * @param {string} conversation
   * @returns {HTMLElement | null}
   */
  find(conversation) {
    return this.lists.querySelector(`[data-entry="${CSS.escape(conversation)}"]`);
  }

  /**
   * Show the number of unread messages that mention this person.
   *
   * @param {number} count
   */
  showMentions(count) {
    const badge = this.lists.querySelector('[data-inbox="mentions"]');
    if (!(badge instanceof HTMLElement) || !badge.firstChild) return;
    badge.hidden = count === 0;
    badge.firstChild.textContent = formatCount(count);
  }

  /**
   * Move a conversation to the top of its section, if that begins with the one that was used last.
   *
   * @param {HTMLElement} entry
   */
  moveToTop(entry) {
    const item = entry.closest("li");
    if (item?.previousElementSibling) item.closest("[data-last-used-first]")?.prepend(item);
  }

  /**
   * @param {string} path
   * @returns {HTMLElement | null}
   */
  findByPath(path) {
    return this.entries.find((entry) => entry.getAttribute("href") === decodePath(path)) ?? null;
  }

  /**
   * Return the number of unread messages of the conversation at this path.
   *
   * @param {string} path
   */
  unreadAt(path) {
    const badge = this.findByPath(path)?.querySelector("[data-badge]");
    return badge instanceof HTMLElement ? Number(badge.dataset.unread) : 0;
  }

  /**
   * Mark the links to the current page.
   *
   * @param {string[]} paths
   */
  markCurrent(paths) {
    this.#currentPaths = paths.map(decodePath);
    this.#markLinks(findAll(document, ".sidebar a[href]"));
  }

  /** @param {HTMLElement[]} links */
  #markLinks(links) {
    for (const link of links) {
      if (this.#currentPaths.includes(pathOf(link))) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  /** Scroll the link to the current page into view. */
  revealCurrent() {
    this.lists.querySelector('[aria-current="page"]')?.scrollIntoView({ block: "nearest" });
  }

  /** Close the drawer, which the list is on a narrow screen. */
  close() {
    if (this.#drawer.matches(":popover-open")) this.#drawer.hidePopover();
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
    const open = openConversation();
    const query = open ? `?conversation=${open}` : "";
    this.emit("requested");
    const response = await fetch(`/sidebar${query}`).catch(() => null);
    // A redirect leads to the sign-in page.
    if (!response?.ok || response.redirected) return;
    const lists = parseHtml(await response.text());
    // Another page was shown meanwhile, and the state is not that of its conversation.
    if (openConversation() !== open) lists.querySelector("[data-opened]")?.remove();
    this.#markLinks(findAll(lists, "a[href]"));
    this.#replace(lists);
    this.emit("refreshed");
  }

  /**
   * Show other lists. The link that has the focus keeps it.
   *
   * @param {HTMLElement} lists
   */
  #replace(lists) {
    const focused = this.lists.contains(document.activeElement) && document.activeElement?.getAttribute("href");
    this.lists.replaceChildren(...lists.childNodes);
    if (focused)
      findAll(this.lists, "a")
        .find((link) => link.getAttribute("href") === focused)
        ?.focus();
  }
}

/**
 * Return what the person has set for the conversation of an entry.
 *
 * @param {HTMLElement} entry
 */
export const preferencesOf = (entry) => ({
  level: /** @type {NotificationLevel} */ (entry.dataset.notify),
  isMuted: entry.matches(".is-muted"),
});

/** @param {HTMLElement} link */
const pathOf = (link) => decodePath(link.getAttribute("href") ?? "");

const openConversation = () => find(document, "main").dataset.conversation;
