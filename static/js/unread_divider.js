// The "New messages" line above the first unread message.

import { findFirstUnread } from "./core/message_grouping.js";
import { isSentBy } from "./message_element.js";
import { isPageFocused, onPageFocusChange } from "./page_focus.js";

/** @import { MessageList } from "./message_list.js" */

/**
 * When the page opens, the line is above the first message after the last read one. Later it is above the first message
 * that arrived while the page was not focused. It stays until the person sends a message, or until new messages arrive
 * without the focus.
 */
export class UnreadDivider {
  #list;
  #userId;
  #wasUnfocused = !isPageFocused();
  /** @type {HTMLElement | null} */
  #line = null;
  #isDismissed = false;

  /**
   * @param {MessageList} list
   * @param {object} options
   * @param {number} options.userId
   * @param {number | null} options.lastReadSeq null where the server keeps no read state
   * @param {number} options.unread messages when the page was rendered
   * @param {AbortSignal} options.signal
   */
  constructor(list, { userId, lastReadSeq, unread, signal }) {
    this.#list = list;
    this.#userId = userId;
    list.element.addEventListener("message:arrived", ({ detail }) => this.#onArrived(detail));
    onPageFocusChange((isFocused) => {
      this.#wasUnfocused ||= !isFocused;
    }, signal);
    if (lastReadSeq === null) return;
    // The server has drawn it, unless the first unread message is above those on the page.
    this.#line = list.element.querySelector(".unread-divider");
    const insert = () => this.line || this.#isDismissed || this.insertAfter(lastReadSeq);
    insert();
    if (unread > 0) list.element.addEventListener("message:prepended", insert);
  }

  /** The line, if it is on the page: the latest messages may have replaced those around it. */
  get line() {
    return this.#line?.isConnected ? this.#line : null;
  }

  /** Remove the line. Older messages that are loaded later do not bring it back. */
  dismiss() {
    this.#isDismissed = true;
    this.#remove();
  }

  #remove() {
    this.#line?.remove();
    this.#line = null;
  }

  /**
   * Insert the line above the first message of others after this number. Returns that message.
   *
   * @param {number} seq
   */
  insertAfter(seq) {
    const { entries, hasOlder } = this.#list;
    const first = findFirstUnread(entries, { lastReadSeq: seq, userId: this.#userId, hasOlder })?.element;
    if (first) this.#insertBefore(first);
    return first;
  }

  /** A catch-up has shown all missed messages. On a focused page, those that follow are read as they arrive. */
  onCaughtUp() {
    if (isPageFocused()) this.#wasUnfocused = false;
  }

  /** @param {HTMLElement} message */
  #onArrived(message) {
    if (!this.#wasUnfocused || isSentBy(message, this.#userId)) return;
    this.#insertBefore(message);
    this.#wasUnfocused = false;
  }

  /** @param {HTMLElement} message */
  #insertBefore(message) {
    this.#remove();
    this.#line = document.createElement("li");
    this.#line.className = "unread-divider";
    this.#line.id = "unread";
    this.#line.textContent = "New messages";
    message.before(this.#line);
  }
}
