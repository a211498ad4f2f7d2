// Shows who is online, and reports whether this person is active.

import { findAll } from "./dom.js";

/** @import { Presence } from "./protocol.js" */
/** @import { Connection } from "./core/connection.js" */
/** @import { Screen } from "./screen.js" */
/** @import { Sidebar } from "./sidebar.js" */

const IDLE_AFTER_MS = 5 * 60_000;
const CHECK_INTERVAL_MS = 15_000;
const ACTIVITY_EVENTS = ["pointermove", "pointerdown", "keydown", "scroll", "focus"];

/**
 * Set `data-presence` on each element with `data-presence-of`.
 *
 * @param {Connection} connection
 * @param {Sidebar} sidebar
 * @param {Screen} screen
 */
export function trackPresence(connection, sidebar, screen) {
  /** @type {Record<string, Presence>} */
  let people = {};
  let lastActivityAt = Date.now();
  /** @type {Presence | null} */
  let reported = null;

  function render() {
    for (const indicator of findAll(document, "[data-presence-of]")) {
      const presence = people[indicator.dataset.presenceOf ?? ""] ?? "offline";
      if (indicator.dataset.presence === presence) continue;
      indicator.dataset.presence = presence;
      indicator.title = presence;
      indicator.role = "img";
      indicator.ariaLabel = presence;
    }
  }

  function report() {
    if (!connection.isConnected) return;
    const state = document.hidden || Date.now() - lastActivityAt > IDLE_AFTER_MS ? "away" : "online";
    if (state === reported) return;
    reported = state;
    connection.request("presence", { state }).catch(() => {
      reported = null;
    });
  }

  function onActivity() {
    lastActivityAt = Date.now();
    if (reported === "away") report();
  }

  connection.on("presence", ({ people: changed, whole }) => {
    people = whole ? changed : { ...people, ...changed };
    render();
  });
  connection.watchState(() => {
    // The server counts a new connection as online.
    reported = "online";
    report();
  });
  sidebar.on("refreshed", render);
  screen.on("shown", render);
  document.addEventListener("visibilitychange", report);
  for (const name of ACTIVITY_EVENTS) window.addEventListener(name, onActivity, { passive: true, capture: true });
  setInterval(report, CHECK_INTERVAL_MS);
}
