// The title of the conversation that the page shows: in the heading, the tab and the message box, also after a rename.

import { find, findAll } from "./dom.js";

/** @import { Sidebar } from "./sidebar.js" */
/** @import { UnreadBadges } from "./unread_badges.js" */

/**
 * @param {Sidebar} sidebar
 * @param {UnreadBadges} badges
 */
export function followTitle(sidebar, badges) {
  sidebar.on("refreshed", () => {
    const title = sidebar.openTitle;
    if (!title) return;
    for (const heading of findAll(document, "[data-title]")) heading.textContent = title;
    for (const label of findAll(document, "[data-composer-label]")) {
      label.textContent = `Message ${title}`;
      find(document, "#content", HTMLTextAreaElement).placeholder = `Message ${title}`;
    }
    badges.setPageTitle(`${title} · chatapp`);
  });
}
