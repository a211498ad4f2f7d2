import { backOff, sleep } from "./backoff.js";

/** The tab in which a message was written sends it; the others step in only if it is still there after this. */
const OTHER_TAB_DELAY = 2_000;

/**
 * Send what is in the outbox: in order, one at a time in each conversation, so that none overtakes an earlier one that
 * is tried again. Two tabs may send the same entry; the server knows it by its client_id.
 *
 * @param {import("./outbox.js").Outbox} outbox
 * @param {import("./connection.js").Connection} connection
 */
export function deliver(outbox, connection) {
  const underWay = new Set();

  function deliverAll() {
    for (const { conversation } of outbox.waiting) deliverIn(conversation);
  }

  async function deliverIn(conversation) {
    if (underWay.has(conversation)) return;
    underWay.add(conversation);
    let failures = 0;
    while (connection.isConnected) {
      const entry = outbox.waiting.find((waiting) => waiting.conversation === conversation);
      if (!entry) break;
      const error = await send(entry);
      failures = error ? failures + 1 : 0;
      if (error && connection.isConnected) await sleep(Math.max(backOff(failures), error.retryAfter ?? 0));
    }
    underWay.delete(conversation);
  }

  /** Returns the error after which the same entry is to be sent again, if there was one. */
  async function send(entry) {
    const { conversation, content, client_id } = entry;
    try {
      const { message } = await connection.ask("send_message", { conversation, content, client_id });
      outbox.acknowledge(entry, message);
    } catch (error) {
      if (!error.isFinal) return error;
      outbox.fail(entry, error.message);
    }
  }

  outbox.addEventListener("change", ({ detail }) => {
    if (detail.byOtherTab) setTimeout(deliverAll, OTHER_TAB_DELAY);
    else deliverAll();
  });
  connection.watch(deliverAll);
}

/** Ask before the page goes while something is unsent: it would wait until the next visit. */
export function warnOfUnsent(outbox) {
  window.addEventListener("beforeunload", (event) => {
    if (outbox.waiting.length > 0) event.preventDefault();
  });
}
