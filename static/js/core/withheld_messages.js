// Messages that arrive for a list that does not reach to the end of the conversation.

import { formatOneOf } from "./timeline.js";

/** @import { FormattedMessage, StoredMessage } from "../protocol.js" */

/**
 * A list that was opened at an earlier place ends before the latest messages. New ones are not shown below it: there would
 * be a gap. They are loaded with the messages before them, when the reader gets there.
 *
 * A page of messages that is being loaded may have been read before a message was posted or changed. So what arrives in
 * the meantime is kept until the page is shown.
 */
export class WithheldMessages {
  #latestSeq;
  #loads = 0;
  /** @type {StoredMessage[]} */
  #kept = [];

  /** @param {number} latestSeq the last event of the conversation when the list was rendered */
  constructor(latestSeq) {
    this.#latestSeq = latestSeq;
  }

  /** Number of the last message that was withheld, or the event with which the list was rendered. */
  get latestSeq() {
    return this.#latestSeq;
  }

  /**
   * Withhold a message, or a change of one that is not loaded. Returns whether it is a new message.
   *
   * @param {StoredMessage} message
   */
  add(message) {
    if (this.#loads > 0) this.#kept.push(message);
    const isNew = message.seq > this.#latestSeq;
    if (isNew) this.#latestSeq = message.seq;
    return isNew;
  }

  /** @param {FormattedMessage} formatted */
  format(formatted) {
    formatOneOf(this.#kept, formatted);
  }

  /**
   * Load a page, show it, and then what was withheld meanwhile.
   *
   * @template T
   * @param {() => Promise<T>} load
   * @param {(page: T) => Promise<void>} showPage
   * @param {(message: StoredMessage) => void} show
   */
  async during(load, showPage, show) {
    this.#loads += 1;
    try {
      await showPage(await load());
    } finally {
      this.#loads -= 1;
      const kept = this.#loads === 0 ? this.#kept.splice(0) : [...this.#kept];
      for (const message of kept.sort((a, b) => a.version - b.version)) show(message);
    }
  }
}
