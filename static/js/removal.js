// Disables the composer when this person is removed from the conversation. The messages stay on the page.

import { find } from "./dom.js";

/** @import { PageConnection } from "./core/page_connection.js" */
/** @import { Timeline } from "./core/timeline.js" */

/**
 * @param {HTMLElement} main
 * @param {PageConnection} connection
 * @param {Timeline} timeline
 */
export function handleRemoval(main, connection, timeline) {
  function close() {
    find(main, "[data-removed-notice]").hidden = false;
    main.dataset.mayPost = "false";
    /** @type {HTMLFormElement | null} */
    const form = main.querySelector("[data-composer]");
    for (const control of form?.elements ?? []) /** @type {HTMLInputElement} */ (control).disabled = true;
  }

  connection.on("removed_from_chat", ({ conversation }) => {
    if (conversation === main.dataset.conversation) close();
  });
  timeline.on("closed", close);
}
