// When a page requests what the server knows and its HTML does not have.

/** @import { Connection } from "./connection.js" */
/** @import { PageConnection } from "./page_connection.js" */

/** The clients of a server that was restarted send their requests within this time, not all at once. */
export const RECONNECT_SPREAD_MS = 5_000;

/**
 * Call `load` after the first frame with a connection, and at a random moment after each interruption of the window's
 * connection. A page that is put away and shown again needs nothing: its listeners are those of the window's
 * connection, and follow the events meanwhile. A page that is put away during an interruption loads when it is shown.
 * After a failure it loads once more, when the others have loaded.
 *
 * @param {Pick<Connection, "watchState">} connection of the window
 * @param {Pick<PageConnection, "state" | "watchState">} page
 * @param {() => Promise<boolean>} load returns whether it has succeeded
 * @param {{signal: AbortSignal, afterFrame: (callback: () => void) => void}} options the signal ends the page
 */
export function refreshOnConnect(connection, page, load, { signal, afterFrame }) {
  let isStale = true;
  let isReconnect = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  async function run(isRepetition = false) {
    if (!isStale || page.state !== "connected") return;
    isStale = false;
    if (await load()) return;
    isStale = true;
    if (isRepetition || signal.aborted) return;
    clearTimeout(timer);
    timer = setTimeout(() => run(true), (1 + Math.random()) * RECONNECT_SPREAD_MS);
  }

  connection.watchState(
    (state) => {
      if (state === "connected") return;
      isStale = true;
      // The first connection of a window is not there when the page is shown.
      if (state !== "connecting") isReconnect = true;
    },
    { signal },
  );
  page.watchState((state) => {
    clearTimeout(timer);
    if (state !== "connected" || !isStale) return;
    if (isReconnect) timer = setTimeout(() => run(), Math.random() * RECONNECT_SPREAD_MS);
    else afterFrame(() => run());
  });
  signal.addEventListener("abort", () => clearTimeout(timer));
}
