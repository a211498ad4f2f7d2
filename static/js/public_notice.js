// Shows everybody in a conversation that it has a public link.

/** @import { PageConnection } from "./core/page_connection.js" */
/** @import { Timeline } from "./core/timeline.js" */

/**
 * @param {HTMLElement} main
 * @param {PageConnection} connection
 * @param {Timeline} timeline
 */
export function showPublicNotice(main, connection, timeline) {
  /** @type {HTMLElement | null} */
  const notice = main.querySelector("[data-public-notice]");
  if (!notice) return;
  connection.on("sharing_changed", ({ conversation, is_public: isPublic }) => {
    if (conversation === main.dataset.conversation) notice.hidden = !isPublic;
  });
  timeline.on("joined", ({ isPublic }) => {
    notice.hidden = !isPublic;
  });
}
