// Previews of the links in messages: the author and moderators can remove them.

import { closest, findAll } from "./dom.js";
import { messageOf, seqOf } from "./message_element.js";

/** @import { MessageActions } from "./message_actions.js" */

const BUTTON = "[data-remove-preview]";

/**
 * @param {HTMLElement} message
 * @param {boolean} isEnabled
 */
export function setPreviewRemovalEnabled(message, isEnabled) {
  for (const button of findAll(message, BUTTON)) button.hidden = !isEnabled;
}

/**
 * @param {HTMLElement} area what is around the messages
 * @param {MessageActions} actions
 */
export function enablePreviewRemoval(area, actions) {
  area.addEventListener("click", async ({ target }) => {
    const button = closest(target, BUTTON);
    const message = messageOf(target);
    const url = closest(button, "[data-preview]")?.dataset.preview;
    if (!button || !message || url === undefined) return;
    button.ariaBusy = "true";
    await actions.perform("remove_previews", { seq: seqOf(message), url });
    button.ariaBusy = null;
  });
  // The button that had the focus is gone.
  area.addEventListener("message:replaced", ({ detail: { oldElement, newElement } }) => {
    const focused = document.activeElement;
    if (focused?.matches(BUTTON) && oldElement.contains(focused)) newElement.focus({ preventScroll: true });
  });
}
