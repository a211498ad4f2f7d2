// Marks messages as read when they are in view of a focused page.

import { RequestError } from "./core/connection.js";
import { find } from "./dom.js";
import { seqOf } from "./message_element.js";
import { isPageFocused, onPageFocusChange } from "./page_focus.js";

/** @import { AutoScroller } from "./auto_scroller.js" */
/** @import { PageConnection } from "./core/page_connection.js" */
/** @import { MessageList } from "./message_list.js" */
/** @import { MessageToolbar } from "./message_toolbar.js" */
/** @import { UnreadDivider } from "./unread_divider.js" */

/** Several messages that arrive within this delay are marked with one request. */
const DEBOUNCE_MS = 400;

/** Time until a request that failed is repeated. */
const RETRY_MS = 5_000;

/** After "Mark as unread" nothing is marked until the page gets the focus again, or the person sends a message. */
export class ReadTracker {
  #list;
  #scroller;
  #connection;
  #conversation;
  #lastReadSeq;
  /** @type {ReturnType<typeof setTimeout> | null} */
  #timer = null;
  #isSuspended = false;

  /**
   * @param {MessageList} list
   * @param {AutoScroller} scroller
   * @param {PageConnection} connection
   * @param {object} options
   * @param {string} options.conversation
   * @param {number | null} options.lastReadSeq null where the server keeps no read state
   * @param {AbortSignal} options.signal
   */
  constructor(list, scroller, connection, { conversation, lastReadSeq, signal }) {
    this.#list = list;
    this.#scroller = scroller;
    this.#connection = connection;
    this.#conversation = conversation;
    this.#lastReadSeq = lastReadSeq ?? Infinity;

    list.element.addEventListener("message:arrived", () => this.#schedule());
    scroller.view.addEventListener("scroll", () => this.#schedule(), { passive: true });
    connection.watchState(() => this.#schedule());
    connection.on("unread_changed", (state) => {
      if (state.conversation === conversation) this.#lastReadSeq = state.last_read_seq;
    });
    onPageFocusChange((isFocused) => {
      if (!isFocused) this.#isSuspended = false;
      this.#schedule();
    }, signal);
  }

  /** Mark everything as read, whether it was in view or not. */
  readAll() {
    this.#isSuspended = false;
    this.#scroller.scrollToEnd();
    this.#markRead();
  }

  /** Mark as read again after `markUnread`. */
  resume() {
    this.#isSuspended = false;
    this.#schedule();
  }

  /**
   * Mark a message and those after it as unread. Throws what `Connection.request` throws.
   *
   * @param {number} seq
   */
  async markUnread(seq) {
    this.#isSuspended = true;
    await this.#connection.request("mark_as_unread", { conversation: this.#conversation, seq });
  }

  #schedule(delayMs = DEBOUNCE_MS) {
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => this.#markRead(), delayMs);
  }

  async #markRead() {
    this.#timer = null;
    const seq = this.#list.newestSeq;
    const isInView = isPageFocused() && this.#scroller.isAtEnd && this.#connection.isConnected;
    if (this.#isSuspended || !isInView || !(seq > this.#lastReadSeq)) return;
    try {
      await this.#connection.request("mark_as_read", { conversation: this.#conversation, seq });
    } catch (error) {
      // Without a connection, the next one tries again.
      if (!(error instanceof RequestError && error.isPermanent)) this.#schedule(RETRY_MS);
    }
  }
}

/**
 * Enable "Mark as unread" in the toolbar.
 *
 * @param {MessageToolbar} toolbar
 * @param {ReadTracker} tracker
 * @param {UnreadDivider} divider
 */
export function enableMarkAsUnread(toolbar, tracker, divider) {
  find(toolbar.element, "[data-mark-unread]").addEventListener("click", async () => {
    const seq = seqOf(toolbar.message);
    toolbar.hide();
    try {
      await tracker.markUnread(seq);
      divider.insertAfter(seq - 1);
    } catch {
      tracker.resume();
    }
  });
}
