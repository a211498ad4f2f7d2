// Sections of the sidebar that are collapsed show only what is unread, what has a draft, and the current page.

import { readCookie, storeCookie } from "./cookies.js";
import { closest, findAll } from "./dom.js";

/** @import { Sidebar } from "./sidebar.js" */

/** Names of sections. Pages are rendered with it: see chatapp/presentation/sidebar.py. */
const COOKIE = "chatapp_collapsed";

/** @param {Sidebar} sidebar */
export function enableCollapsing(sidebar) {
  function render() {
    const collapsed = readCollapsed();
    for (const toggle of findAll(sidebar.lists, "[data-section]"))
      toggle.ariaExpanded = String(!collapsed.has(toggle.dataset.section ?? ""));
  }

  sidebar.lists.addEventListener("click", ({ target }) => {
    const { section } = closest(target, "[data-section]")?.dataset ?? {};
    if (section === undefined) return;
    const collapsed = readCollapsed();
    if (!collapsed.delete(section)) collapsed.add(section);
    storeCookie(COOKIE, [...collapsed].join("."));
    render();
  });
  sidebar.on("refreshed", render);
  render();
}

const readCollapsed = () => new Set(readCookie(COOKIE).split(".").filter(Boolean));
