// Sections of the sidebar that are collapsed show only what is unread, what has a draft, and the current page.

import { closest, findAll } from "./dom.js";

/** @import { FallbackStorage } from "./core/fallback_storage.js" */
/** @import { Sidebar } from "./sidebar.js" */

const STORAGE_KEY = "chatapp:collapsed-sections";

/**
 * @param {Sidebar} sidebar
 * @param {FallbackStorage} storage of the browser
 */
export function enableCollapsing(sidebar, storage) {
  function render() {
    const collapsed = readCollapsed(storage);
    for (const toggle of findAll(sidebar.lists, "[data-section]"))
      toggle.ariaExpanded = String(!collapsed.has(toggle.dataset.section ?? ""));
  }

  sidebar.lists.addEventListener("click", ({ target }) => {
    const { section } = closest(target, "[data-section]")?.dataset ?? {};
    if (section === undefined) return;
    const collapsed = readCollapsed(storage);
    if (!collapsed.delete(section)) collapsed.add(section);
    storage.set(STORAGE_KEY, [...collapsed].join());
    render();
  });
  sidebar.on("refreshed", render);
  render();
}

/** @param {FallbackStorage} storage */
const readCollapsed = (storage) => new Set((storage.get(STORAGE_KEY) ?? "").split(",").filter(Boolean));
