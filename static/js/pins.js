// The pinned messages of a conversation: their number in the header, and the item of the menu that pins a message.

import { find } from "./dom.js";
import { seqOf } from "./message_element.js";
import { showToast } from "./toast.js";

/** @import { MessageActions } from "./message_actions.js" */
/** @import { MessageToolbar } from "./message_toolbar.js" */
/** @import { PageConnection } from "./core/page_connection.js" */
/** @import { Page } from "./page.js" */
/** @import { StoredMessage } from "./protocol.js" */
/** @import { Timeline } from "./core/timeline.js" */

/**
 * @param {MessageToolbar} toolbar
 * @param {MessageActions} actions
 */
export function enablePinning(toolbar, actions) {
  find(toolbar.menu, "[data-pin]").addEventListener("click", async () => {
    const { message } = toolbar;
    if (!message) return;
    const on = !("pinned" in message.dataset);
    if (await actions.perform("pin_message", { seq: seqOf(message), on })) {
      showToast(on ? "Message pinned" : "Message unpinned");
    }
  });
}

/**
 * Show the number of pinned messages in the header, which links to their list.
 *
 * @param {Page} page
 * @param {PageConnection} connection
 * @param {Timeline} timeline
 */
export function followPins(page, connection, timeline) {
  const seqs = page.pinnedSeqs;
  /** @type {Map<number, number>} of messages that have changed: an older version may arrive later */
  const versions = new Map();

  /** @param {StoredMessage} message */
  function update({ seq, version, pinned }) {
    if (version < (versions.get(seq) ?? 0)) return;
    if (pinned || seqs.has(seq)) versions.set(seq, version);
    if (pinned) seqs.add(seq);
    else seqs.delete(seq);
  }

  /** @param {number} floor */
  function removeUpTo(floor) {
    for (const seq of seqs) if (seq <= floor) seqs.delete(seq);
  }

  connection.on("message_changed", (message) => {
    if (message.conversation !== page.conversation) return;
    update(message);
    page.showPinCount();
  });
  connection.on("heads", ({ conversations }) => {
    removeUpTo(conversations[page.conversation ?? ""]?.floor ?? 0);
    page.showPinCount();
  });
  timeline.on("joined", ({ messages, pins, floor }) => {
    if (pins) seqs.clear();
    for (const seq of pins ?? []) seqs.add(seq);
    for (const message of messages) update(message);
    removeUpTo(floor);
    page.showPinCount();
  });
}
