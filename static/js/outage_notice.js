// Shows that the database is unavailable, and how many messages wait for it.

import { formatTime } from "./core/dates.js";
import { find } from "./dom.js";

/** @import { Connection } from "./core/connection.js" */

/**
 * @param {HTMLElement} main
 * @param {Connection} connection
 */
export function showOutageNotice(main, connection) {
  const notice = find(main, "[data-outage-notice]");
  connection.on("backlog", ({ waiting, since }) => {
    notice.hidden = since === null;
    if (since === null) return;
    notice.textContent =
      `The database has been unavailable since ${formatTime(new Date(since))}. ` +
      `Messages are stored on the server and will be saved when it is back (${waiting} waiting).`;
  });
  // On a new connection the server reports an outage only if it continues.
  connection.watchState((state) => {
    if (state !== "connected") notice.hidden = true;
  });
}
