// The items of a conversation's menu that change what the person has set for it, without loading the page again.

import { closeMenu, closest, find } from "./dom.js";

/** @import { Sidebar } from "./sidebar.js" */

const ITEMS = "[data-preference-items]";

/**
 * Show the items as the server has rendered them.
 *
 * @param {HTMLTemplateElement} rendered
 */
export function showPreferences(rendered) {
  const shown = document.querySelector(ITEMS);
  const items = find(rendered.content, ITEMS);
  // Otherwise the item that has the focus would lose it.
  if (shown && !shown.isEqualNode(items)) shown.replaceWith(items.cloneNode(true));
}

/** @param {Sidebar} sidebar */
export function enablePreferences(sidebar) {
  document.addEventListener("submit", async (event) => {
    const form = closest(event.target, "[data-preferences]");
    if (!(form instanceof HTMLFormElement)) return;
    event.preventDefault();
    const error = find(form, "[data-error]");
    error.hidden = await send(form, event.submitter);
    if (!error.hidden) return;
    closeMenu(form);
    // The server asks the connected pages of the person to refresh; this one may not be connected.
    await sidebar.refresh();
  });
}

/**
 * Return whether the server has saved the value of the button: it redirects to the page.
 *
 * @param {HTMLFormElement} form
 * @param {HTMLElement | null} button
 */
async function send(form, button) {
  const options = { method: "POST", body: new FormData(form, button), redirect: /** @type {const} */ ("manual") };
  const response = await fetch(form.action, options).catch(() => null);
  return response?.type === "opaqueredirect";
}
