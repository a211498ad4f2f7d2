// Shows that the database is unavailable, and how many messages wait for it.

import { formatSince } from "./core/dates.js";
import { findAll } from "./dom.js";

/** @import { Connection } from "./core/connection.js" */
/** @import { ServerEvents } from "./protocol.js" */
/** @import { Screen } from "./screen.js" */

/**
 * @param {Screen} screen
 * @param {Connection} connection
 */
export function showOutageNotice(screen, connection) {
  /** @type {ServerEvents["backlog"]} */
  let backlog = { waiting: 0, since: null };

  function render() {
    const { waiting, since } = backlog;
    for (const notice of findAll(document, "[data-outage-notice]")) {
      notice.hidden = since === null;
      if (since === null) continue;
      notice.textContent =
        `The database has been unavailable since ${formatSince(new Date(since), new Date())}. ` +
        `Messages are stored on the server and will be saved when it is back (${waiting} waiting).`;
    }
  }

  connection.on("backlog", (received) => {
    backlog = received;
    render();
  });
  // On a new connection the server reports an outage only if it continues.
  connection.watchState((state) => {
    if (state === "connected") return;
    backlog = { waiting: 0, since: null };
    render();
  });
  screen.on("shown", render);
}
