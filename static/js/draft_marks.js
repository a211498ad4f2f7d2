// Marks the conversations in the sidebar whose composer has a draft, except the current one.

import { cloneTemplate } from "./dom.js";

/** @import { FallbackStorage } from "./core/fallback_storage.js" */
/** @import { Screen } from "./screen.js" */
/** @import { Sidebar } from "./sidebar.js" */

/**
 * Return the key of a draft in the storage.
 *
 * @param {number} userId
 * @param {string} conversation
 * @param {number | null} [thread] the number of the first message of the thread that the draft belongs to
 */
export const draftKey = (userId, conversation, thread = null) =>
  `chatapp:draft:${userId}:${conversation}${thread === null ? "" : `:thread:${thread}`}`;

/**
 * @param {Sidebar} sidebar
 * @param {Screen} screen
 * @param {FallbackStorage} drafts
 * @param {number} userId
 */
export function markDrafts(sidebar, screen, drafts, userId) {
  function render() {
    for (const entry of sidebar.entries) {
      const { entry: conversation = "" } = entry.dataset;
      const isCurrent = conversation === screen.page.main.dataset.conversation;
      const hasDraft = !isCurrent && Boolean(drafts.get(draftKey(userId, conversation)));
      if (hasDraft === entry.matches(".has-draft")) continue;
      entry.classList.toggle("has-draft", hasDraft);
      if (hasDraft) entry.querySelector("[data-badge]")?.before(cloneTemplate("draft-mark"));
      else entry.querySelector(".draft-mark")?.remove();
    }
  }

  sidebar.on("refreshed", render);
  screen.on("shown", render);
  render();
}
