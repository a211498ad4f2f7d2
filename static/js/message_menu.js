// The menu of a message: the actions that are not in its toolbar.

import { enableArrowKeys } from "./arrow_keys.js";
import { copyText } from "./clipboard.js";
import { find } from "./dom.js";
import { seqOf } from "./message_element.js";
import { placeWhenOpened } from "./popover_position.js";
import { showToast } from "./toast.js";

/** @import { MessageToolbar } from "./message_toolbar.js" */

/**
 * @param {MessageToolbar} toolbar
 * @param {string} conversation
 */
export function enableMessageMenu(toolbar, conversation) {
  const { element, menu } = toolbar;
  placeWhenOpened(menu, find(element, "[data-open-menu]"));
  enableArrowKeys(menu, { ArrowDown: 1, ArrowUp: -1 });
  // Before the action, so that the focus is where the menu was opened.
  menu.addEventListener("click", () => menu.hidePopover(), { capture: true });
  find(menu, "[data-copy-link]").addEventListener("click", () => copyLink(conversation, seqOf(toolbar.message)));
}

/**
 * @param {string} conversation
 * @param {number} seq
 */
async function copyLink(conversation, seq) {
  const link = `${location.origin}/conversations/${conversation}/messages/${seq}`;
  showToast((await copyText(link)) ? "Link copied" : `The link could not be copied: ${link}`);
}
