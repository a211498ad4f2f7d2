/** Say while the database is away that nothing is lost, and how many messages wait for it. */
export function showBacklog(main, connection) {
  const note = main.querySelector("[data-backlog]");
  connection.on("backlog", ({ waiting, since }) => {
    note.hidden = since === null;
    if (since === null) return;
    const time = new Date(since).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    note.textContent =
      `The database is away since ${time}. Messages are safe on the server and are saved when it is back ` +
      `(${waiting} waiting).`;
  });
}
