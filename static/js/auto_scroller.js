// Keeps the newest message in view while the reader is at the end of the list.

import { find } from "./dom.js";
import { findMessage, findMessages, seqOf } from "./message_element.js";

/** @import { Position } from "./page.js" */

/** Within this distance the reader counts as at the end. */
const END_TOLERANCE_PX = 48;

/** A reader who has scrolled up stays there; a button reports new messages. */
export class AutoScroller {
  #button;
  // A page that was opened at a message stays there.
  #isFollowing = !document.getElementById(location.hash.slice(1));
  #lastTop = 0;
  #list;

  /**
   * @param {HTMLElement} view
   * @param {HTMLElement} list
   * @param {HTMLElement} button
   */
  constructor(view, list, button) {
    this.view = view;
    this.#button = button;
    this.#list = list;
    this.#anchorAtTop();

    view.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    button.addEventListener("click", () => this.scrollToEnd());
    list.addEventListener("message:arrived", () => this.#isFollowing || this.#setLabel("New messages"));
    const observer = new ResizeObserver(() => this.#isFollowing && this.scrollToEnd());
    observer.observe(view);
    observer.observe(list);
  }

  get isAtEnd() {
    return this.#isFollowing;
  }

  /**
   * Return the message at the top of the view and its distance from it; null at the end.
   *
   * @returns {Position | null}
   */
  get position() {
    if (this.#isFollowing) return null;
    const { top } = this.view.getBoundingClientRect();
    const first = findMessages(this.#list).find((message) => message.getBoundingClientRect().bottom > top);
    return first ? { seq: seqOf(first), top: first.getBoundingClientRect().top - top } : null;
  }

  /**
   * Scroll to a position. Without one, or if its message is not loaded, stay at the end.
   *
   * @param {Position | null} position
   */
  restore(position) {
    const message = position?.seq === undefined ? null : findMessage(this.#list, position.seq);
    if (!position || !message) return this.scrollToEnd();
    this.#isFollowing = false;
    const { top } = this.view.getBoundingClientRect();
    this.view.scrollTop += message.getBoundingClientRect().top - top - position.top;
    this.#lastTop = this.view.scrollTop;
    this.#setLabel("Jump to latest");
    this.#button.hidden = false;
  }

  scrollToEnd() {
    this.#isFollowing = true;
    this.view.scrollTop = this.view.scrollHeight;
    this.#button.hidden = true;
  }

  /**
   * Change the list above `anchor` without moving the anchor on the screen.
   *
   * @param {HTMLElement} anchor
   * @param {() => void} change
   */
  async keepPosition(anchor, change) {
    const topBefore = anchor.getBoundingClientRect().top;
    change();
    // The messages are decorated in a microtask after the change (message_decoration.js).
    await Promise.resolve();
    this.view.scrollTop += anchor.getBoundingClientRect().top - topBefore;
  }

  /**
   * Until now the style sheet has aligned the list with its end, so that the first frame shows the newest messages. From now
   * on the distance from the top counts: otherwise a new message would move a reader who has scrolled up.
   */
  #anchorAtTop() {
    const distanceFromEnd = -this.view.scrollTop;
    this.view.classList.add("is-anchored-at-top");
    this.view.scrollTop = this.view.scrollHeight - this.view.clientHeight - distanceFromEnd;
    this.#lastTop = this.view.scrollTop;
  }

  #onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = this.view;
    const wasFollowing = this.#isFollowing;
    // Only scrolling up stops following: a new message also moves the end away.
    if (scrollHeight - scrollTop - clientHeight <= END_TOLERANCE_PX) this.#isFollowing = true;
    else if (scrollTop < this.#lastTop) this.#isFollowing = false;
    this.#lastTop = scrollTop;
    if (wasFollowing && !this.#isFollowing) this.#setLabel("Jump to latest");
    this.#button.hidden = this.#isFollowing;
  }

  /** @param {string} text */
  #setLabel(text) {
    find(this.#button, "[data-jump-to-latest-label]").textContent = text;
  }
}
