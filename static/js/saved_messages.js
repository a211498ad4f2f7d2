// Saved messages: the item of a message's menu that saves it, and the page that lists what is saved.

import { describeError } from "./core/connection.js";
import { find } from "./dom.js";
import { seqOf } from "./message_element.js";
import { reloadPart } from "./page_part.js";
import { showToast } from "./toast.js";

/** @import { Connection } from "./core/connection.js" */
/** @import { PageConnection } from "./core/page_connection.js" */
/** @import { MessageToolbar } from "./message_toolbar.js" */
/** @import { Screen } from "./screen.js" */

/**
 * The HTML of messages is the same for all readers: what this person has saved is requested when a menu is opened.
 *
 * @param {MessageToolbar} toolbar
 * @param {PageConnection} connection
 * @param {string} conversation
 */
export function enableSaving(toolbar, connection, conversation) {
  const button = find(toolbar.menu, "[data-save]");
  /** @type {Promise<Set<number>> | null} null while it is unknown */
  let saved = null;

  async function request() {
    const { seqs } = await connection.request("saved_messages", { conversation });
    return new Set(seqs);
  }

  async function showState() {
    const { message } = toolbar;
    if (!message) return;
    saved ??= request();
    const seqs = await saved.catch(() => (saved = null));
    if (message !== toolbar.message) return;
    const isSaved = seqs?.has(seqOf(message)) ?? false;
    button.dataset.save = isSaved ? "no" : "yes";
    find(button, "span").textContent = isSaved ? "Remove from saved" : "Save";
  }

  toolbar.menu.addEventListener("beforetoggle", (event) => event.newState === "open" && showState());
  connection.on("saved_changed", (changed) => {
    if (changed.conversation !== conversation) return;
    // A response that is on its way may be older.
    saved = null;
    if (toolbar.menu.matches(":popover-open")) showState();
  });
  connection.watchState(() => (saved = null));
  button.addEventListener("click", async () => {
    const on = button.dataset.save !== "no";
    try {
      await connection.request("save_message", { conversation, seq: seqOf(toolbar.message), on });
      showToast(on ? "Message saved" : "Removed from saved messages");
    } catch (error) {
      showToast(describeError(error));
    }
  });
}

/**
 * Keep the page that lists them up to date.
 *
 * @param {Screen} screen
 * @param {Connection} connection
 */
export function followSaved(screen, connection) {
  const refresh = () => reloadPart(screen, "[data-saved-messages]");
  connection.on("saved_changed", refresh);
  connection.watchState((state) => state === "connected" && refresh());
}
