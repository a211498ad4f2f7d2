import { shortTime } from "./dates.js";

/** Say while the database is away that nothing is lost, and how many messages wait for it. */
export function showBacklog(main, connection) {
  const note = main.querySelector("[data-outage-notice]");
  connection.on("backlog", ({ waiting, since }) => {
    note.hidden = since === null;
    if (since === null) return;
    note.textContent =
      `The database is away since ${shortTime(new Date(since))}. ` +
      `Messages are kept safe on the server and saved when it is back (${waiting} waiting).`;
  });
  // A new connection is told only if it is still away.
  connection.watch((state) => {
    if (state !== "connected") note.hidden = true;
  });
}
