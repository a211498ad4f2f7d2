// Sends the messages in the outbox.

import { backoffDelay, sleep } from "./backoff.js";
import { RequestError } from "./connection.js";

/** @import { Connection } from "./connection.js" */
/** @import { Outbox, OutboxEntry } from "./outbox.js" */
/** @import { Uploads } from "./uploads.js" */
/** @import { MessagePlace, NewMessage } from "../protocol.js" */

/** Another tab sends its own messages; this one takes over those that are still there after this delay. */
const OTHER_TAB_DELAY_MS = 2_000;

/** @type {Exclude<keyof NewMessage, "files">[]} what is sent of an entry */
const FIELDS = ["conversation", "content", "client_id", "reply_to", "thread", "also_in_room", "draft"];

/** @type {Record<string, {place: MessagePlace, reason: string}>} where a message goes whose own place is gone */
const OTHER_PLACES = {
  invalid_reply: {
    place: { reply_to: undefined },
    reason: "The message that this replies to was deleted. Retry sends it without the quote.",
  },
  thread_removed: {
    place: { reply_to: undefined, thread: undefined, also_in_room: undefined },
    reason: "The thread was removed. Retry sends it to the conversation.",
  },
};

/**
 * Send the entries of each conversation in order, one at a time, so that none overtakes an earlier one that is retried.
 * Two tabs may send the same entry: the server recognises its client_id.
 *
 * A message waits until its files are uploaded. Later ones overtake it: that may take long.
 *
 * @param {Outbox} outbox
 * @param {Pick<Connection, "isConnected" | "request" | "watchState">} connection
 * @param {Uploads} uploads
 */
export function sendOutbox(outbox, connection, uploads) {
  const sending = new Set();

  function sendAll() {
    for (const entry of outbox.queue) {
      const { problem } = uploads.findReferences(entry);
      if (problem) outbox.reject(entry, problem);
    }
    for (const { conversation } of outbox.queue) sendConversation(conversation);
  }

  /** @param {string} conversation */
  async function sendConversation(conversation) {
    if (sending.has(conversation)) return;
    sending.add(conversation);
    let failures = 0;
    while (connection.isConnected) {
      const entry = outbox.queue.find(
        (queued) => queued.conversation === conversation && uploads.findReferences(queued).references,
      );
      if (!entry) break;
      const failure = await send(entry);
      failures = failure ? failures + 1 : 0;
      if (failure && connection.isConnected) await sleep(Math.max(backoffDelay(failures), failure.retryAfterMs));
    }
    sending.delete(conversation);
  }

  /**
   * Send an entry once. Returns what failed if it is to be sent again.
   *
   * @param {OutboxEntry} entry
   * @returns {Promise<{retryAfterMs: number} | null>}
   */
  async function send(entry) {
    const fields = FIELDS.filter((name) => entry[name] !== undefined).map((name) => [name, entry[name]]);
    const { references: files } = uploads.findReferences(entry);
    const payload = { ...Object.fromEntries(fields), ...(entry.files ? { files } : {}) };
    try {
      const { message } = await connection.request("send_message", /** @type {NewMessage} */ (payload));
      outbox.acknowledge(entry, message);
      return null;
    } catch (error) {
      if (!(error instanceof RequestError)) return { retryAfterMs: 0 };
      if (!error.isPermanent) return error;
      const other = OTHER_PLACES[error.code];
      outbox.reject({ ...entry, ...other?.place }, other?.reason ?? error.message);
      return null;
    }
  }

  outbox.on("change", ({ isFromOtherTab }) => {
    if (isFromOtherTab) setTimeout(sendAll, OTHER_TAB_DELAY_MS);
    else sendAll();
  });
  outbox.on("retried", ({ entry }) => uploads.retryEntry(entry));
  uploads.on("settled", sendAll);
  connection.watchState(sendAll);
}
