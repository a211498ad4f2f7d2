const WORDS = {
  connecting: "Connecting…",
  connected: "Connected",
  restarting: "Restarting…",
  offline: "Offline – messages are kept and sent when back",
  "signed-out": "You are signed out",
};

/** Tell, always in sight, whether the page is connected. */
export function showConnection(connection) {
  const pill = document.querySelector("[data-connection]");
  connection.watch((state) => {
    pill.dataset.state = state;
    pill.querySelector("[data-connection-text]").textContent = WORDS[state];
    pill.querySelector("a").hidden = state !== "signed-out";
    pill.hidden = false;
  });
}
