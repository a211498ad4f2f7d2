// Shows whether the page is connected.

import { find } from "./dom.js";

/** @import { Connection } from "./core/connection.js" */
/** @import { Screen } from "./screen.js" */

const LABELS = {
  connecting: "Connecting…",
  connected: "Connected",
  restarting: "Restarting…",
  offline: "Offline – messages are sent when you reconnect",
  "signed-out": "You are signed out",
};

/**
 * @param {Connection} connection
 * @param {Screen} screen
 */
export function showConnectionStatus(connection, screen) {
  const status = find(document, "[data-connection]");
  connection.watchState((state) => {
    status.dataset.state = state;
    find(status, "[data-connection-text]").textContent = LABELS[state];
    find(status, "a").hidden = state !== "signed-out";
    status.hidden = false;
  });
  screen.on("shown", ({ path }) => {
    const link = find(status, "a", HTMLAnchorElement);
    link.search = `?${new URLSearchParams({ next: path })}`;
  });
}
