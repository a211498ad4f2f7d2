// Deletes a message after a confirmation.

import { find } from "./dom.js";
import { contentOf, findMessage, seqOf } from "./message_element.js";

/** @import { MessageActions } from "./message_actions.js" */
/** @import { MessageToolbar } from "./message_toolbar.js" */

/**
 * @param {HTMLDialogElement} dialog
 * @param {MessageToolbar} toolbar
 * @param {MessageActions} actions
 */
export function enableDeletion(dialog, toolbar, actions) {
  let seq = NaN;

  find(toolbar.menu, "[data-delete]").addEventListener("click", () => {
    if (!toolbar.message) return;
    seq = seqOf(toolbar.message);
    find(dialog, "[data-quote]").textContent = contentOf(toolbar.message);
    dialog.returnValue = "";
    dialog.showModal();
  });
  dialog.addEventListener("close", () => {
    findMessage(toolbar.list, seq)?.focus();
    if (dialog.returnValue === "delete") actions.perform("delete_message", { seq });
  });
}
