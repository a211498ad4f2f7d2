// What the page shows of its conversation besides the messages, when others change it: the title in the heading, the
// tab and the message box, the topic, the number of members, whether it is archived, and what this person has set for it.

import { find, findAll } from "./dom.js";
import { showPreferences } from "./preferences_form.js";

/** @import { Screen } from "./screen.js" */
/** @import { Sidebar } from "./sidebar.js" */
/** @import { UnreadBadges } from "./unread_badges.js" */

/**
 * @param {Sidebar} sidebar
 * @param {UnreadBadges} badges
 * @param {Screen} screen
 */
export function followState(sidebar, badges, screen) {
  sidebar.on("refreshed", () => {
    const { opened } = sidebar;
    if (!opened) return;
    showScheduled(opened.scheduled);
    if (screen.page.main.dataset.thread) return;
    showTitle(opened.title);
    showTopic(opened.topic);
    badges.setPageTitle(`${opened.title} · chatapp`);
    if (opened.memberCount) screen.page.showMemberCount(opened.memberCount);
    showArchived(screen.page.main, opened.archivedText);
    showPreferences(opened.preferences);
  });
}

/** @param {string} title */
function showTitle(title) {
  for (const heading of findAll(document, "[data-title]")) heading.textContent = title;
  for (const label of findAll(document, "[data-composer-label]")) {
    label.textContent = `Message ${title}`;
    find(document, "#content", HTMLTextAreaElement).placeholder = `Message ${title}`;
  }
}

/** @param {number} count */
function showScheduled(count) {
  for (const note of findAll(document, "[data-scheduled-note]")) {
    note.hidden = count === 0;
    const messages = count === 1 ? "1 message" : `${count} messages`;
    find(note, "[data-scheduled-count]").textContent = `${messages} scheduled for this conversation`;
  }
}

/** @param {string} topic */
function showTopic(topic) {
  for (const element of findAll(document, "[data-room-topic]")) {
    element.textContent = topic;
    element.hidden = !topic;
  }
}

/**
 * Close the composer of a conversation that was archived, or open that of one that was restored. Its text is kept.
 *
 * @param {HTMLElement} main
 * @param {string} text the reason; empty if the conversation is not archived
 */
function showArchived(main, text) {
  /** @type {HTMLElement | null} */
  const note = main.querySelector("[data-archived-note]");
  if (!note || note.textContent === text) return;
  note.textContent = text;
  note.hidden = !text;
  find(main, "[data-composer]").hidden = Boolean(text);
  for (const badge of findAll(document, "[data-archived-badge]")) badge.hidden = !text;
  main.dataset.mayPost = String(!text);
  main.dispatchEvent(new Event("permissions:changed"));
}
