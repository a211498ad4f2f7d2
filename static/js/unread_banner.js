// A banner with a link to the first unread message, where that is above the messages on the page.

import { formatCount } from "./core/unread_counts.js";
import { find } from "./dom.js";
import { seqOf } from "./message_element.js";

/** @import { HistoryLoader } from "./history_loading.js" */
/** @import { MessageList } from "./message_list.js" */
/** @import { UnreadDivider } from "./unread_divider.js" */

/** Beyond this many messages, the link opens a page that begins at the first unread one instead of loading them all. */
export const MAX_LOADED_MESSAGES = 500;

/** Messages above the first unread one on that page. */
const CONTEXT_MESSAGES = 5;

/**
 * @param {HTMLElement} main
 * @param {UnreadDivider} divider
 * @param {MessageList} list
 * @param {HistoryLoader} history
 * @param {number} lastReadSeq
 */
export function showUnreadBanner(main, divider, list, history, lastReadSeq) {
  const unread = Number(main.dataset.unread);
  if (unread === 0 || !list.hasOlder || seqOf(list.oldest) <= lastReadSeq + 1) return;
  const banner = find(main, "[data-unread-banner]");
  const link = find(banner, "a", HTMLAnchorElement);
  find(banner, "[data-count]").textContent = `${formatCount(unread)} unread messages`;
  banner.hidden = false;
  link.href = `?before=${lastReadSeq + 1 + CONTEXT_MESSAGES}`;

  link.addEventListener("click", async (event) => {
    if (seqOf(list.oldest) - lastReadSeq > MAX_LOADED_MESSAGES) return;
    event.preventDefault();
    await history.loadUntil(lastReadSeq + 1);
    divider.insertAfter(lastReadSeq)?.scrollIntoView({ block: "center" });
    banner.hidden = true;
  });
  find(banner, "button").addEventListener("click", () => {
    banner.hidden = true;
  });
}
