// Keyboard shortcuts.

/** @import { JumpDialog } from "./jump_dialog.js" */

const IS_MAC = navigator.platform.startsWith("Mac");

/** @param {{jumpDialog: JumpDialog}} parts of the window */
export function listenForShortcuts({ jumpDialog }) {
  document.addEventListener("keydown", (event) => {
    const isModified = IS_MAC ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey;
    if (event.key.toLowerCase() !== "k" || !isModified || event.shiftKey || event.altKey) return;
    event.preventDefault();
    jumpDialog.toggle();
  });
}
