/** Milliseconds without a touch of mouse or keyboard after which one is away. */
const IDLE = 5 * 60_000;

/** Milliseconds between two looks at whether one still is here. */
const LOOK = 15_000;

const SIGNS_OF_LIFE = ["pointermove", "pointerdown", "keydown", "scroll", "focus"];

/**
 * Show who is online (`data-presence` beside each `data-presence-of`), and tell whether somebody looks at this page.
 *
 * @param {import("./connection.js").Connection} connection
 * @param {import("./sidebar.js").Sidebar} sidebar
 */
export function keepPresence(connection, sidebar) {
  let people = {};
  let seenAt = Date.now();
  let told = null;

  function draw() {
    for (const place of document.querySelectorAll("[data-presence-of]")) {
      const state = people[place.dataset.presenceOf] ?? "offline";
      if (place.dataset.presence === state) continue;
      place.dataset.presence = state;
      place.title = state;
      place.role = "img";
      place.ariaLabel = state;
    }
  }

  function tell() {
    if (!connection.isConnected) return;
    const state = document.hidden || Date.now() - seenAt > IDLE ? "away" : "online";
    if (state === told) return;
    told = state;
    connection.ask("presence", { state }).catch(() => {
      told = null;
    });
  }

  function seen() {
    seenAt = Date.now();
    if (told === "away") tell();
  }

  connection.on("presence", ({ people: changed, whole }) => {
    people = whole ? changed : { ...people, ...changed };
    draw();
  });
  connection.watch(() => {
    // The server takes a new connection for somebody who is there.
    told = "online";
    tell();
  });
  sidebar.addEventListener("refreshed", draw);
  document.addEventListener("visibilitychange", tell);
  for (const sign of SIGNS_OF_LIFE) window.addEventListener(sign, seen, { passive: true, capture: true });
  setInterval(tell, LOOK);
}
