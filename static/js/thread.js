// What the page of a thread has besides what every list of messages has: its first message, and the button to follow it.

import { REQUEST_TIMEOUT_MS } from "./core/connection.js";
import { decorateMessages } from "./message_decoration.js";
import { find, parseHtml } from "./dom.js";
import { MessageList } from "./message_list.js";
import { loadQuotes } from "./quotes.js";

/** @import { LivePage } from "./conversation.js" */
/** @import { MessageView } from "./core/timeline.js" */

/**
 * Return the view that shows the thread's first message in its own list, above the replies.
 *
 * @param {LivePage} live
 * @param {number} userId
 * @returns {MessageView}
 */
export function showThread(live, userId) {
  const { page, main, list, quotes, conversation, thread, signal } = live;
  followByButton(live);
  /** @type {HTMLElement | null} */
  const element = main.querySelector("[data-thread-root]");
  if (!element) return list;
  const root = new MessageList(element, userId, Number(main.dataset.cursor));
  decorateMessages(element, userId, [loadQuotes, quotes.prepare.bind(quotes)], signal);

  /** Load the page again and return its cursor, or null if nothing is left of the thread. */
  async function reload() {
    const path = `/conversations/${conversation}/threads/${thread}`;
    const response = await fetch(path, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
    if (response.status === 404) {
      element?.replaceChildren();
      list.replaceAll([], false);
      return null;
    }
    if (!response.ok || response.redirected) throw new Error("the thread's page could not be loaded");
    const html = await response.text();
    const loaded = parseHtml(html);
    const cursor = Number(find(loaded, "[data-cursor]").dataset.cursor);
    // A cleanup may have removed the first message.
    element?.replaceChildren(...(loaded.querySelector("[data-thread-root]")?.childNodes ?? []));
    list.reload(html);
    return cursor;
  }

  page.on("read", () => main.querySelector("[data-mark-thread-read]")?.remove());
  return {
    show: (message) => (message.seq === thread ? root : list).show(message),
    // What the server sends then is the last page of the room.
    replaceAll: reload,
    removeUpTo: (floor) => list.removeUpTo(floor),
    showFormatted(message) {
      root.showFormatted(message);
      list.showFormatted(message);
    },
    rejectPending: (...details) => list.rejectPending(...details),
  };
}

/** @param {LivePage} live */
function followByButton({ page, connection, conversation, thread }) {
  /** @param {boolean} isFollowing */
  function render(isFollowing) {
    const button = page.findAction("[data-follow-thread] button");
    if (!button) return;
    button.textContent = isFollowing ? "Following" : "Follow";
    button.ariaPressed = String(isFollowing);
    button.setAttribute("value", isFollowing ? "no" : "yes");
  }

  connection.on("thread_changed", (state) => {
    if (state.conversation === conversation && state.thread === thread) render(state.following);
  });
  page.findAction("[data-follow-thread]")?.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (thread === null) return;
    const on = page.findAction("[data-follow-thread] button")?.getAttribute("value") === "yes";
    const state = await connection.request("follow_thread", { conversation, thread, on }).catch(() => null);
    if (state) render(state.following);
  });
}
