// What the page of a thread has besides what every list of messages has: its first message, and the button to follow it.

import { describeError, REQUEST_TIMEOUT_MS } from "./core/connection.js";
import { find, parseHtml } from "./dom.js";
import { MessageList } from "./message_list.js";
import { threadPath } from "./paths.js";
import { showToast } from "./toast.js";

/** @import { LivePage } from "./conversation.js" */
/** @import { FormattedMessage, Message } from "./protocol.js" */

/** The messages of a thread's page: the first one is in a list of its own, above the replies. */
export class ThreadMessages {
  #list;
  #seq;
  #path;

  /**
   * @param {HTMLElement} main
   * @param {MessageList} list the replies
   * @param {number} userId
   */
  constructor(main, list, userId) {
    const { conversation = "", thread = "", cursor } = main.dataset;
    this.#list = list;
    this.#seq = Number(thread);
    this.#path = threadPath(conversation, thread);
    /** The list of the first message, which is empty once a cleanup has removed it. */
    this.root = new MessageList(find(main, "[data-thread-root]"), userId, Number(cursor));
  }

  /** @param {number} seq */
  find(seq) {
    return this.#listOf(seq).find(seq);
  }

  /** @param {Message} message */
  show(message) {
    this.#listOf(message.seq).show(message);
  }

  /** @param {FormattedMessage} message */
  showFormatted(message) {
    this.#listOf(message.seq).showFormatted(message);
  }

  /** @param {number} floor */
  removeUpTo(floor) {
    this.#list.removeUpTo(floor);
  }

  /**
   * @param {number} senderId
   * @param {string} clientId
   * @param {string} reason
   */
  rejectPending(senderId, clientId, reason) {
    this.#list.rejectPending(senderId, clientId, reason);
  }

  /**
   * Load the page again, as the server sends the last page of the room. Return the cursor of what was loaded, or null
   * if nothing is left of the thread.
   */
  async replaceAll() {
    const { element } = this.root;
    const response = await fetch(this.#path, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
    if (response.status === 404) {
      element.replaceChildren();
      this.#list.replaceAll([], false);
      return null;
    }
    if (!response.ok || response.redirected) throw new Error("the thread's page could not be loaded");
    const html = await response.text();
    const loaded = parseHtml(html);
    const cursor = Number(find(loaded, "[data-cursor]").dataset.cursor);
    element.replaceChildren(...find(loaded, "[data-thread-root]").childNodes);
    this.#list.reload(html);
    return cursor;
  }

  /** @param {number | null | undefined} seq */
  #listOf(seq) {
    return seq === this.#seq ? this.root : this.#list;
  }
}

/**
 * Keep what is around the messages of a thread up to date.
 *
 * @param {LivePage} live
 */
export function followThread({ page, main, connection, conversation, thread }) {
  /** @param {boolean} isFollowing */
  function render(isFollowing) {
    const button = page.findAction("[data-follow-thread] button");
    if (!button) return;
    button.textContent = isFollowing ? "Following" : "Follow";
    button.ariaPressed = String(isFollowing);
    button.setAttribute("value", isFollowing ? "no" : "yes");
  }

  page.on("read", () => main.querySelector("[data-mark-thread-read]")?.remove());
  connection.on("thread_changed", (state) => {
    if (state.conversation === conversation && state.thread === thread) render(state.following);
  });
  page.findAction("[data-follow-thread]")?.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (thread === null) return;
    const on = page.findAction("[data-follow-thread] button")?.getAttribute("value") === "yes";
    try {
      const state = await connection.request("follow_thread", { conversation, thread, on });
      render(state.following);
    } catch (error) {
      showToast(describeError(error));
    }
  });
}
