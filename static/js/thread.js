// What the page of a thread has besides what every list of messages has: its first message, and the button to follow it.

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

  async function reload() {
    const response = await fetch(`/conversations/${conversation}/threads/${thread}`).catch(() => null);
    if (!response?.ok || response.redirected) return;
    const html = await response.text();
    element?.replaceChildren(...find(parseHtml(html), "[data-thread-root]").childNodes);
    list.reload(html);
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
