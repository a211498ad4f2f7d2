// Keeps the newest message in view while the reader is at the end of the list.

import { find } from "./dom.js";

/** Within this distance the reader counts as at the end. */
const END_TOLERANCE_PX = 48;

/** A reader who has scrolled up stays there; a button reports new messages. */
export class AutoScroller {
  #button;
  // A page that was opened at a message stays there.
  #isFollowing = !document.getElementById(location.hash.slice(1));
  #lastTop = 0;

  /**
   * @param {HTMLElement} view
   * @param {HTMLElement} list
   * @param {HTMLElement} button
   */
  constructor(view, list, button) {
    this.view = view;
    this.#button = button;

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
