// Marks messages as read that were in view of a focused page.

import { RequestError } from "./core/connection.js";
import { findReadUpTo } from "./core/read_progress.js";
import { find } from "./dom.js";
import { seqOf } from "./message_element.js";
import { isPageFocused, onPageFocusChange } from "./page_focus.js";

/** @import { PageConnection } from "./core/page_connection.js" */
/** @import { MessageList } from "./message_list.js" */
/** @import { MessageToolbar } from "./message_toolbar.js" */
/** @import { UnreadDivider } from "./unread_divider.js" */

/** Several messages that are seen within this delay are marked with one request. */
const DEBOUNCE_MS = 400;

/** Time until a request that failed is repeated. */
const RETRY_MS = 5_000;

/** A message of which less is in view, at the edge, was not seen. */
const MIN_VISIBLE_PX = 12;

/** After "Mark as unread" nothing is marked until the page gets the focus again, or the person sends a message. */
export class ReadTracker {
  #list;
  #connection;
  #conversation;
  #thread;
  #userId;
  #lastReadSeq;
  #observer;
  /** @type {Set<Element>} */
  #visible = new Set();
  /** @type {Set<number>} */
  #seen = new Set();
  /** @type {ReturnType<typeof setTimeout> | null} */
  #timer = null;
  #isSuspended = false;

  /**
   * @param {MessageList} list
   * @param {HTMLElement} view
   * @param {PageConnection} connection
   * @param {object} options
   * @param {string} options.conversation
   * @param {number | null} options.thread the number of the first message of the thread that the list shows
   * @param {number} options.userId
   * @param {number | null} options.lastReadSeq null where the server keeps no read state
   * @param {AbortSignal} options.signal
   */
  constructor(list, view, connection, { conversation, thread, userId, lastReadSeq, signal }) {
    this.#list = list;
    this.#connection = connection;
    this.#conversation = conversation;
    this.#thread = thread;
    this.#userId = userId;
    this.#lastReadSeq = lastReadSeq ?? Infinity;
    this.#observer = new IntersectionObserver((entries) => this.#onMoved(entries), {
      root: view,
      rootMargin: `-${MIN_VISIBLE_PX}px 0px`,
    });

    list.element.addEventListener("message:arrived", () => this.#schedule());
    list.element.addEventListener("message:prepended", () => this.#schedule());
    connection.watchState(() => this.#schedule());
    connection.on(thread === null ? "unread_changed" : "thread_changed", (state) => {
      const isHere = state.conversation === conversation && (!("thread" in state) || state.thread === thread);
      if (isHere) this.#lastReadSeq = state.last_read_seq;
    });
    onPageFocusChange((isFocused) => {
      if (!isFocused) this.#isSuspended = false;
      this.#see();
    }, signal);
  }

  /**
   * Observe whether a message is in view.
   *
   * @param {HTMLElement} message
   */
  observe(message) {
    this.#observer.observe(message);
  }

  /** Mark everything as read, whether it was in view or not. */
  readAll() {
    this.#isSuspended = false;
    this.#send(this.#list.latestSeq);
  }

  /** Mark as read again after `markUnread`. */
  resume() {
    this.#isSuspended = false;
    this.#see();
  }

  /**
   * Mark a message and those after it as unread. Throws what `Connection.request` throws.
   *
   * @param {number} seq
   */
  async markUnread(seq) {
    this.#isSuspended = true;
    for (const seen of this.#seen) if (seen >= seq) this.#seen.delete(seen);
    const message = { conversation: this.#conversation, seq };
    if (this.#thread === null) await this.#connection.request("mark_as_unread", message);
    else await this.#connection.request("mark_thread_unread", { ...message, thread: this.#thread });
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #onMoved(entries) {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting) this.#visible.add(target);
      else this.#visible.delete(target);
    }
    this.#see();
  }

  #see() {
    if (this.#isSuspended || !isPageFocused()) return;
    for (const message of this.#visible) this.#seen.add(seqOf(message));
    this.#schedule();
  }

  #schedule(delayMs = DEBOUNCE_MS) {
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => this.#markRead(), delayMs);
  }

  #markRead() {
    this.#timer = null;
    if (this.#isSuspended) return;
    const { entries, hasOlder } = this.#list;
    const reader = { seen: this.#seen, lastReadSeq: this.#lastReadSeq, userId: this.#userId, hasOlder };
    this.#send(findReadUpTo(entries, reader));
  }

  /** @param {number} seq */
  async #send(seq) {
    if (!(seq > this.#lastReadSeq) || !this.#connection.isConnected) return;
    try {
      const message = { conversation: this.#conversation, seq };
      if (this.#thread === null) await this.#connection.request("mark_as_read", message);
      else await this.#connection.request("mark_thread_read", { ...message, thread: this.#thread });
    } catch (error) {
      // Without a connection, the next one tries again.
      if (!(error instanceof RequestError && error.isPermanent)) this.#schedule(RETRY_MS);
    }
  }
}

/**
 * Enable "Mark as unread" in the menu of messages.
 *
 * @param {MessageToolbar} toolbar
 * @param {ReadTracker} tracker
 * @param {UnreadDivider} divider
 */
export function enableMarkAsUnread(toolbar, tracker, divider) {
  find(toolbar.menu, "[data-mark-unread]").addEventListener("click", async () => {
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
