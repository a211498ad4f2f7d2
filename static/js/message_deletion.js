// Deletes a message after a confirmation. For ten seconds it can be undone, in a toast and in the message's place.

import { cloneTemplate, closest, find } from "./dom.js";
import { listFileNames } from "./file_removal.js";
import { contentOf, findMessage, messageOf, seqOf } from "./message_element.js";
import { hideToast, showToast } from "./toast.js";

/** @import { MessageActions } from "./message_actions.js" */
/** @import { MessageToolbar } from "./message_toolbar.js" */

/** As in chatapp/timeline/deletions.py. It begins when the deletion is requested, so that it ends before the server's. */
const UNDO_MS = 10_000;

const FORM = "[data-undelete]";

/** The deletions of this page, which can be undone. */
class Deletions {
  #list;
  #actions;
  #dialog;
  /** The number of the message that the dialog asks about. */
  #asked = NaN;
  /** @type {Set<number>} the numbers of the messages */
  #seqs = new Set();

  /**
   * @param {HTMLElement} list
   * @param {MessageActions} actions
   * @param {HTMLDialogElement} dialog
   */
  constructor(list, actions, dialog) {
    this.#list = list;
    this.#actions = actions;
    this.#dialog = dialog;
    dialog.addEventListener("close", () => {
      findMessage(list, this.#asked)?.focus();
      if (dialog.returnValue === "delete") this.#delete(this.#asked);
    });
    list.addEventListener("submit", (event) => {
      const message = closest(event.target, FORM) && messageOf(event.target);
      if (!message) return;
      event.preventDefault();
      this.#undo(seqOf(message));
    });
  }

  /**
   * Delete a message after a confirmation.
   *
   * @param {HTMLElement} message
   */
  ask(message) {
    this.#asked = seqOf(message);
    find(this.#dialog, "[data-quote]").textContent = contentOf(message) || listFileNames(message).join(", ");
    this.#dialog.returnValue = "";
    this.#dialog.showModal();
  }

  /** @param {number} seq */
  async #delete(seq) {
    this.#seqs.add(seq);
    const endsAt = performance.now() + UNDO_MS;
    const timer = setTimeout(() => this.#end(seq), UNDO_MS);
    if (await this.#actions.perform("delete_message", { seq })) {
      if (this.#seqs.has(seq))
        showToast("Message deleted.", { label: "Undo", run: () => this.#undo(seq), ms: endsAt - performance.now() });
    } else {
      clearTimeout(timer);
      this.#end(seq);
    }
  }

  /**
   * Offer to undo the deletion in a message that was added to the list.
   *
   * @param {HTMLElement} message
   */
  prepare(message) {
    const form = message.querySelector(FORM);
    if (!message.matches(".is-deleted")) form?.remove();
    else if (form) setTimeout(() => form.remove(), UNDO_MS);
    else if (this.#seqs.has(seqOf(message))) find(message, ".message-body").after(cloneTemplate("undo-deletion"));
  }

  /** @param {number} seq */
  async #undo(seq) {
    hideToast();
    this.#seqs.delete(seq);
    await this.#actions.perform("undelete_message", { seq });
    // The button that had the focus is gone.
    findMessage(this.#list, seq)?.focus();
  }

  /** @param {number} seq */
  #end(seq) {
    this.#seqs.delete(seq);
    findMessage(this.#list, seq)?.querySelector(FORM)?.remove();
  }
}

/**
 * @param {HTMLDialogElement} dialog
 * @param {MessageToolbar} toolbar
 * @param {MessageActions} actions
 */
export function enableDeletion(dialog, toolbar, actions) {
  const deletions = new Deletions(toolbar.list, actions, dialog);
  find(toolbar.menu, "[data-delete]").addEventListener(
    "click",
    () => toolbar.message && deletions.ask(toolbar.message),
  );
  return deletions;
}
