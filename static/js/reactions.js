// Reactions: a click on a reaction toggles this person's own; the picker adds a new one.

import { enableArrowKeys } from "./arrow_keys.js";
import { closest, find } from "./dom.js";
import { messageOf, seqOf } from "./message_element.js";
import { placeWhenOpened } from "./popover_position.js";

/** @import { EmojiPicker } from "./emoji_picker.js" */
/** @import { MessageActions } from "./message_actions.js" */
/** @import { MessageToolbar } from "./message_toolbar.js" */

/**
 * Mark the reactions that this person has added.
 *
 * @param {HTMLElement} message
 * @param {number} userId
 */
export function markOwnReactions(message, userId) {
  for (const button of reactionButtons(message)) {
    button.ariaPressed = String(button.dataset.userIds?.split(" ").includes(String(userId)));
  }
}

/**
 * @param {HTMLElement} message
 * @param {boolean} isEnabled
 */
export function setReactionsEnabled(message, isEnabled) {
  for (const button of reactionButtons(message)) button.disabled = !isEnabled;
}

/**
 * @param {HTMLElement} picker a popover with a button for each emoji
 * @param {HTMLElement} list
 * @param {MessageToolbar} toolbar
 * @param {MessageActions} actions
 * @param {EmojiPicker} emojiPicker
 */
export function enableReactions(picker, list, toolbar, actions, emojiPicker) {
  const anchor = find(toolbar.element, "[data-react]");

  /**
   * @param {HTMLElement} message
   * @param {string} emoji
   */
  async function toggle(message, emoji) {
    const button = findButton(message, emoji);
    if (button?.ariaBusy === "true") return;
    if (button) button.ariaBusy = "true";
    toolbar.hideAfterTouch();
    await actions.perform("react", { seq: seqOf(message), reaction: emoji, on: button?.ariaPressed !== "true" });
    if (button) button.ariaBusy = null;
  }

  placeWhenOpened(picker, anchor);
  enableArrowKeys(picker, { ArrowRight: 1, ArrowLeft: -1 });
  picker.addEventListener("click", ({ target }) => {
    const emoji = closest(target, "[data-emoji]")?.dataset.emoji;
    const { message } = toolbar;
    if (!message) return;
    if (closest(target, "[data-more-emoji]")) return emojiPicker.open(anchor, (chosen) => toggle(message, chosen));
    if (!emoji) return;
    picker.hidePopover();
    toggle(message, emoji);
  });
  list.addEventListener("click", ({ target }) => {
    const emoji = closest(target, "[data-reaction]")?.dataset.reaction;
    const message = messageOf(target);
    if (emoji && message) toggle(message, emoji);
  });
  // After a reaction by keyboard the focus stays on the button.
  list.addEventListener("message:replaced", ({ detail: { oldElement, newElement } }) => {
    const focused = document.activeElement;
    const emoji = focused instanceof HTMLElement && oldElement.contains(focused) ? focused.dataset.reaction : undefined;
    if (emoji === undefined) return;
    setReactionsEnabled(newElement, true);
    (findButton(newElement, emoji) ?? newElement).focus();
  });
}

/**
 * @param {HTMLElement} message
 * @returns {NodeListOf<HTMLButtonElement>}
 */
const reactionButtons = (message) => message.querySelectorAll("[data-reaction]");

/**
 * @param {HTMLElement} message
 * @param {string} emoji
 * @returns {HTMLButtonElement | null}
 */
const findButton = (message, emoji) => message.querySelector(`[data-reaction="${CSS.escape(emoji)}"]`);
