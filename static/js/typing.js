/** Milliseconds between two times that one's own typing is told. */
const PERIOD = 3_000;

/** Milliseconds after which somebody who has told nothing more is no longer typing. */
const LIFETIME = 5_000;

/**
 * Show who else is writing, and tell the others when one is oneself.
 *
 * @param {HTMLTextAreaElement} text
 * @param {HTMLElement} line where it is shown
 * @param {import("./connection.js").Connection} connection
 */
export function showTyping(text, line, connection, conversation) {
  /** Names and timers, by the person's id. */
  const typing = new Map();
  let toldAt = -Infinity;

  function tell() {
    const now = performance.now();
    if (!text.value || now - toldAt < PERIOD || !connection.isConnected) return;
    toldAt = now;
    // Nothing depends on it: who may not write hears so when he sends.
    connection.ask("typing", { conversation }).catch(() => {});
  }

  function begin({ id, name }) {
    clearTimeout(typing.get(id)?.timer);
    typing.set(id, { name, timer: setTimeout(() => end(id), LIFETIME) });
    draw();
  }

  function end(id) {
    clearTimeout(typing.get(id)?.timer);
    if (typing.delete(id)) draw();
  }

  function draw() {
    const names = [...typing.values()].map(({ name }) => name);
    if (names.length === 0) line.textContent = "";
    else if (names.length === 1) line.textContent = `${names[0]} is typing…`;
    else if (names.length === 2) line.textContent = `${names[0]} and ${names[1]} are typing…`;
    else line.textContent = "Several people are typing…";
  }

  text.addEventListener("input", tell);
  text.form.addEventListener("message:written", () => {
    toldAt = -Infinity;
  });
  connection.on("typing", (told) => told.conversation === conversation && begin(told.user));
  connection.on("chat_message", (message) => message.conversation === conversation && end(message.sender?.id));
  connection.watch((state) => state !== "connected" && [...typing.keys()].forEach(end));
}
