// Shows who is typing, and reports that this person is typing.

import { isIn } from "./core/timeline.js";
import { describeTyping, TypingUsers } from "./core/typing_users.js";
import { find } from "./dom.js";

/** @import { PageConnection } from "./core/page_connection.js" */

/** While somebody types, one report is sent in this interval. */
const REPORT_INTERVAL_MS = 3_000;

/**
 * @param {HTMLFormElement} form
 * @param {HTMLElement} line where the names are shown
 * @param {PageConnection} connection
 * @param {{conversation: string, thread: number | null}} place
 */
export function showTyping(form, line, connection, { conversation, thread }) {
  const text = find(form, "textarea", HTMLTextAreaElement);
  const users = new TypingUsers();
  let reportedAt = -Infinity;

  function report() {
    const now = performance.now();
    if (!text.value || now - reportedAt < REPORT_INTERVAL_MS || !connection.isConnected) return;
    reportedAt = now;
    // A lost report does no harm, and sending the message shows an error where it is not allowed.
    connection.request("typing", { conversation, ...(thread === null ? {} : { thread }) }).catch(() => {});
  }

  text.addEventListener("input", report);
  form.addEventListener("message:submitted", () => {
    reportedAt = -Infinity;
  });
  users.on("change", () => {
    line.textContent = describeTyping(users.names);
  });
  connection.on("typing", (typing) => {
    if (typing.conversation === conversation && typing.thread === thread) users.add(typing.user);
  });
  connection.on("chat_message", (message) => {
    if (message.conversation === conversation && isIn(message, thread)) users.remove(message.sender?.id);
  });
  connection.watchState((state) => state !== "connected" && users.clear());
}
