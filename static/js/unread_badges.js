// Unread counts in the sidebar, the page's title and its icon. They are counted here between reports of the server.

import { watchNewMessages } from "./core/new_messages.js";
import { TypedEventTarget } from "./core/typed_event_target.js";
import { badgeCount, countMessage, formatCount, titlePrefix } from "./core/unread_counts.js";
import { find } from "./dom.js";
import { preferencesOf } from "./sidebar.js";

/** @import { ReadState } from "./protocol.js" */
/** @import { Connection } from "./core/connection.js" */
/** @import { NewMessage } from "./core/new_messages.js" */
/** @import { ConversationCounts } from "./core/unread_counts.js" */
/** @import { Sidebar } from "./sidebar.js" */

/**
 * Emits `changed` after each change of a count.
 *
 * @extends {TypedEventTarget<{changed: void}>}
 */
export class UnreadBadges extends TypedEventTarget {
  #sidebar;
  #userId;
  #menuButton = find(document, "[data-menu-button]");
  #menuBadge = find(document, "[data-menu-badge]");
  #title = document.title;
  #icon = find(document, "link[rel=icon]", HTMLLinkElement);
  #iconHref = this.#icon.href;
  #unreadIconHref = new URL(this.#icon.dataset.unreadHref ?? "", document.baseURI).href;
  /** @type {[conversation: string, message: NewMessage][]} Those that arrived since the list was requested, until it is shown. */
  #sinceRequest = [];

  /**
   * @param {Connection} connection
   * @param {Sidebar} sidebar
   * @param {number} userId
   */
  constructor(connection, sidebar, userId) {
    super();
    this.#sidebar = sidebar;
    this.#userId = userId;
    watchNewMessages(connection, (conversation, message) => this.#onNewMessage(conversation, message));
    connection.on("unread_changed", (state) => this.#onReadState(state));
    sidebar.on("requested", () => {
      this.#sinceRequest = [];
    });
    sidebar.on("refreshed", () => this.#onRefreshed());
    this.#updateTitle();
  }

  /**
   * Change the page's title, which the number of unread messages precedes.
   *
   * @param {string} title
   */
  setPageTitle(title) {
    this.#title = title;
    this.#updateTitle();
  }

  /**
   * @param {string} conversation
   * @param {NewMessage} message
   */
  #onNewMessage(conversation, message) {
    if (this.#sidebar.isFetching) this.#sinceRequest.push([conversation, message]);
    const entry = this.#sidebar.find(conversation);
    // The first message of a new conversation.
    if (!entry) return this.#sidebar.refresh();
    this.#count(entry, message);
  }

  #onRefreshed() {
    // The list may have been read before these were posted.
    for (const [conversation, message] of this.#sinceRequest.splice(0)) {
      const entry = this.#sidebar.find(conversation);
      if (entry) this.#count(entry, message);
    }
    this.#updateTitle();
  }

  /**
   * @param {HTMLElement} entry
   * @param {NewMessage} message
   */
  #count(entry, message) {
    const counts = countsOf(entry);
    const newCounts = countMessage(counts, message, this.#userId);
    if (newCounts === counts) return;
    this.#sidebar.moveToTop(entry);
    this.#render(entry, newCounts);
  }

  /** @param {ReadState} state */
  #onReadState({ conversation, unread, mentions }) {
    const entry = this.#sidebar.find(conversation);
    if (entry) this.#render(entry, { ...countsOf(entry), unread, mentions });
  }

  /**
   * @param {HTMLElement} entry
   * @param {ConversationCounts} counts
   */
  #render(entry, { level, isMuted, lastEvent, unread, mentions }) {
    const count = badgeCount({ isMuted, unread, mentions });
    const badge = find(entry, "[data-badge]");
    entry.dataset.lastEvent = String(lastEvent);
    badge.dataset.unread = String(unread);
    badge.dataset.mentions = String(mentions);
    badge.hidden = count === 0;
    if (badge.firstChild) badge.firstChild.textContent = formatCount(count);
    badge.classList.toggle("is-highlighted", mentions > 0 || level === "all");
    entry.classList.toggle("is-unread", unread > 0 && !isMuted);
    this.#updateTitle();
  }

  /**
   * On a phone, the button of the menu shows what the title does.
   *
   * @param {string} prefix
   */
  #renderMenuBadge(prefix) {
    const count = prefix.match(/[\d+]+/)?.[0] ?? "";
    this.#menuBadge.hidden = !prefix;
    this.#menuBadge.textContent = count;
    this.#menuBadge.classList.toggle("is-highlighted", count !== "");
    this.#menuButton.ariaLabel = prefix ? `Open menu (${count || "some"} unread)` : "Open menu";
  }

  #updateTitle() {
    const counts = this.#sidebar.entries.map(countsOf);
    this.#sidebar.showMentions(counts.reduce((sum, { mentions }) => sum + mentions, 0));
    const prefix = titlePrefix(counts);
    // Even the same title and icon would take the browser milliseconds.
    const title = prefix + this.#title;
    if (document.title !== title) document.title = title;
    const href = prefix ? this.#unreadIconHref : this.#iconHref;
    if (this.#icon.href !== href) this.#icon.href = href;
    this.#renderMenuBadge(prefix);
    this.emit("changed");
  }
}

/**
 * @param {HTMLElement} entry
 * @returns {ConversationCounts}
 */
function countsOf(entry) {
  const { hasReadState, lastEvent } = entry.dataset;
  const { unread, mentions } = find(entry, "[data-badge]").dataset;
  return {
    ...preferencesOf(entry),
    hasReadState: hasReadState === "true",
    lastEvent: Number(lastEvent),
    unread: Number(unread),
    mentions: Number(mentions),
  };
}
