// The menu of a message: the actions that are not in its toolbar.

import { enableArrowKeys } from "./arrow_keys.js";
import { copyText } from "./clipboard.js";
import { closest, find } from "./dom.js";
import { seqOf } from "./message_element.js";
import { messagePath } from "./paths.js";
import { placeWhenOpened } from "./popover_position.js";
import { showToast } from "./toast.js";

/** @import { ForwardDialog } from "./forward_dialog.js" */
/** @import { MessageToolbar } from "./message_toolbar.js" */

/**
 * @param {MessageToolbar} toolbar
 * @param {string} conversation
 * @param {ForwardDialog} forwarding
 */
export function enableMessageMenu(toolbar, conversation, forwarding) {
  const { element, menu } = toolbar;
  placeWhenOpened(menu, find(element, "[data-open-menu]"));
  enableArrowKeys(menu, { ArrowDown: 1, ArrowUp: -1 });
  // Before the action, so that the focus is where the menu was opened.
  menu.addEventListener("click", () => menu.hidePopover(), { capture: true });
  const forward = find(menu, "[data-forward]", HTMLAnchorElement);
  forward.addEventListener("click", (event) => {
    // In another tab it is a page.
    if (!toolbar.message || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    forwarding.open(toolbar.message, forward.href);
  });
  // After the action, which is that of the toolbar's message. The menu of times opens beside the toolbar.
  menu.addEventListener("click", ({ target }) => closest(target, "[data-remind]") ?? toolbar.hideAfterTouch());
  find(menu, "[data-copy-link]").addEventListener("click", () => copyLink(conversation, seqOf(toolbar.message)));
}

/**
 * @param {string} conversation
 * @param {number} seq
 */
async function copyLink(conversation, seq) {
  const link = location.origin + messagePath(conversation, seq);
  showToast((await copyText(link)) ? "Link copied" : `The link could not be copied: ${link}`);
}
