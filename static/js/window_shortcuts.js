// The shortcuts of the window.

import { findNeighbour } from "./core/neighbours.js";
import { closest, find, findAll } from "./dom.js";
import { formatField } from "./formatting.js";
import { togglePreview } from "./preview.js";
import { listenForShortcuts, listShortcuts } from "./shortcuts.js";

/** @import { CharacterKeys } from "./character_keys.js" */
/** @import { JumpDialog } from "./jump_dialog.js" */
/** @import { MarkAllRead } from "./mark_all_read.js" */
/** @import { Screen } from "./screen.js" */
/** @import { Shortcut } from "./shortcuts.js" */
/** @import { Sidebar } from "./sidebar.js" */

/**
 * @param {object} parts of the window
 * @param {Screen} parts.screen
 * @param {Sidebar} parts.sidebar
 * @param {JumpDialog} parts.jumpDialog
 * @param {MarkAllRead} parts.markAllRead
 * @param {CharacterKeys} parts.characterKeys
 */
export function enableShortcuts({ screen, sidebar, jumpDialog, markAllRead, characterKeys }) {
  /** @param {1 | -1} step */
  const openNeighbour = (step) => openEntry(findNeighbour(sidebar.entries, currentEntry(), step));

  /** @param {1 | -1} step */
  function openUnread(step) {
    const { unreadEntries } = sidebar;
    const unread = findNeighbour(sidebar.entries, currentEntry(), step, (entry) => unreadEntries.includes(entry));
    if (!unread) find(document, "[data-page-announcement]").textContent = "No other conversation has unread messages";
    openEntry(unread);
  }

  const currentEntry = () => sidebar.entries.find((entry) => entry.ariaCurrent === "page");

  /** @type {Shortcut[]} */
  const shortcuts = [
    {
      keys: ["Mod+K"],
      label: "Jump to a room, person, assistant or page",
      run: () => jumpDialog.toggle(),
      isGlobal: true,
    },
    { keys: ["Mod+Shift+F"], label: "Search messages", run: () => openPage("/search") },
    { keys: ["Alt+Shift+ArrowDown"], label: "Next unread conversation", run: () => openUnread(1) },
    { keys: ["Alt+Shift+ArrowUp"], label: "Previous unread conversation", run: () => openUnread(-1) },
    { keys: ["Alt+ArrowDown"], label: "Next conversation", run: () => openNeighbour(1) },
    { keys: ["Alt+ArrowUp"], label: "Previous conversation", run: () => openNeighbour(-1) },
    { keys: ["ArrowUp"], label: "Edit your last message, in the empty message field", run: editLast },
    { keys: ["R"], label: "Reply to the message that has the focus", run: replyToFocused },
    {
      keys: ["Escape"],
      label: "Mark the conversation as read, or close the thread",
      run: () => screen.leavePane() || screen.page.markRead(),
    },
    { keys: ["Shift+Escape"], label: "Mark all conversations as read", run: () => markAllRead.ask() },
    { keys: ["Mod+B"], label: "Bold, while writing", run: ({ target }) => formatField(target, "bold") },
    { keys: ["Mod+I"], label: "Italic", run: ({ target }) => formatField(target, "italic") },
    { keys: ["Mod+Shift+X"], label: "Strikethrough", run: ({ target }) => formatField(target, "strikethrough") },
    { keys: ["Mod+E"], label: "Code", run: ({ target }) => formatField(target, "code") },
    { keys: ["Mod+Shift+U"], label: "Link", run: ({ target }) => formatField(target, "link") },
    { keys: ["Mod+Shift+P"], label: "Preview, or back", run: ({ target }) => togglePreview(target) },
    { keys: ["/"], label: "Search, on pages with a search field", run: focusSearch },
    { keys: ["?", "Mod+/"], label: "Show keyboard shortcuts", run: () => openList() },
  ];
  const openList = listShortcuts(shortcuts);
  listenForShortcuts(shortcuts, characterKeys);
}

/** @param {string} path */
function openPage(path) {
  location.assign(path);
}

/** @param {HTMLElement | undefined} entry */
function openEntry(entry) {
  entry?.scrollIntoView({ block: "nearest" });
  entry?.click();
}

/** @param {KeyboardEvent} event */
function editLast({ target }) {
  const form = closest(target, "[data-composer]");
  if (!form || !(target instanceof HTMLTextAreaElement) || target.value) return false;
  form.dispatchEvent(new Event("message:edit-last"));
  return true;
}

/** @param {KeyboardEvent} event */
function replyToFocused({ target }) {
  /** @type {HTMLElement | null | undefined} the toolbar is inside the message that has the focus */
  const button = closest(target, ".message")?.querySelector("[data-reply]:not([hidden])");
  button?.click();
  return Boolean(button);
}

function focusSearch() {
  const field = findAll(find(document, "main"), "[type=search]").find((search) => search.checkVisibility());
  field?.focus();
  return field !== undefined;
}
