// Saved messages: their marks, the item of a message's menu that saves it, and the page that lists what is saved.

import { describeError } from "./core/connection.js";
import { refreshOnConnect } from "./core/refreshing.js";
import { afterFrame, find, findAll } from "./dom.js";
import { seqOf } from "./message_element.js";
import { reloadPart } from "./page_part.js";
import { showToast } from "./toast.js";

/** @import { Connection } from "./core/connection.js" */
/** @import { PageConnection } from "./core/page_connection.js" */
/** @import { MessageToolbar } from "./message_toolbar.js" */
/** @import { Screen } from "./screen.js" */

/**
 * The HTML of messages is the same for all readers: what this person has saved is requested, and marked here.
 *
 * @param {MessageToolbar} toolbar
 * @param {HTMLElement} area the part of the page with the messages
 * @param {{window: Connection, page: PageConnection}} connections
 * @param {string} conversation
 * @param {AbortSignal} signal
 * @returns {(message: HTMLElement) => void} what marks each message
 */
export function enableSaving(toolbar, area, connections, conversation, signal) {
  const button = find(toolbar.menu, "[data-save]");
  /** @type {Set<number>} */
  let saved = new Set();
  let changes = 0;
  // A page that is put away is not in the document.
  const savedMark = find(document, "#saved-mark", HTMLTemplateElement);

  /** @returns {Promise<boolean>} whether the server has responded */
  async function load() {
    const before = changes;
    const response = await connections.page.request("saved_messages", { conversation }).catch(() => null);
    if (!response) return false;
    // The response may be older than an event that has arrived meanwhile.
    if (before !== changes) return load();
    saved = new Set(response.seqs);
    for (const message of findAll(area, ".message[data-seq]")) mark(message);
    showState();
    return true;
  }

  /** @param {HTMLElement} message */
  const isSaved = (message) => message.dataset.seq !== undefined && saved.has(seqOf(message));

  /** @param {HTMLElement} message */
  function mark(message) {
    const shown = message.querySelector(".message-saved");
    if (isSaved(message) && !shown) message.prepend(savedMark.content.cloneNode(true));
    else if (!isSaved(message)) shown?.remove();
  }

  function showState() {
    const { message } = toolbar;
    if (!message) return;
    button.dataset.save = isSaved(message) ? "no" : "yes";
    find(button, "span").textContent = isSaved(message) ? "Remove from saved" : "Save";
  }

  toolbar.menu.addEventListener("beforetoggle", (event) => event.newState === "open" && showState());
  // Also while the page is put away.
  connections.window.on(
    "saved_changed",
    (changed) => {
      if (changed.conversation !== conversation) return;
      changes++;
      saved[changed.saved ? "add" : "delete"](changed.seq);
      for (const message of findAll(area, `.message[data-seq="${changed.seq}"]`)) mark(message);
      if (toolbar.menu.matches(":popover-open")) showState();
    },
    { signal },
  );
  refreshOnConnect(connections.window, connections.page, load, { signal, afterFrame });
  button.addEventListener("click", async () => {
    const on = button.dataset.save !== "no";
    try {
      await connections.page.request("save_message", { conversation, seq: seqOf(toolbar.message), on });
      showToast(on ? "Message saved" : "Removed from saved messages");
    } catch (error) {
      showToast(describeError(error));
    }
  });
  return mark;
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
