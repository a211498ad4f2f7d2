// Keeps the newest message in view while the reader is at the end of the list.

import { find, setText } from "./dom.js";
import { MAX_LOADED_MESSAGES } from "./history_loading.js";
import { findMessage, findMessages, seqOf } from "./message_element.js";

/** @import { MessageList } from "./message_list.js" */
/** @import { Position } from "./page.js" */

/** Within this distance the reader counts as at the end. */
const END_TOLERANCE_PX = 48;

/**
 * A reader who has scrolled up stays there; a button counts new messages. The end of a list that does not reach to the
 * latest messages is no end.
 */
export class AutoScroller {
  #button;
  #isFollowing;
  #lastTop = 0;
  #list;
  #arrived = 0;
  #isKeepingPosition = false;

  /**
   * @param {HTMLElement} view
   * @param {MessageList} list
   * @param {HTMLElement} button
   */
  constructor(view, list, button) {
    this.view = view;
    this.#button = button;
    this.#list = list;
    // A page that was opened at a message stays there.
    this.#isFollowing = !list.hasNewer && !document.getElementById(location.hash.slice(1));
    this.#anchorAtTop();
    this.#updateButton();

    view.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    for (const name of ["message:arrived", "message:withheld"])
      list.element.addEventListener(name, () => this.#count());
    // On the view, which also has the first message of a thread.
    view.addEventListener("message:replacing", ({ detail }) => this.#onReplacing(detail));
    const observer = new ResizeObserver(() => this.#isFollowing && this.scrollToEnd());
    observer.observe(view);
    observer.observe(list.element);
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
    const first = findMessages(this.#list.element).find((message) => message.getBoundingClientRect().bottom > top);
    if (!first) return null;
    const seq = seqOf(first);
    const isFar = this.#list.latestSeq - seq > MAX_LOADED_MESSAGES;
    return { seq, top: first.getBoundingClientRect().top - top, isFar };
  }

  /**
   * Scroll to a position. Without one, or if its message is not loaded, stay at the end.
   *
   * @param {Position | null} position
   */
  restore(position) {
    const message = position?.seq === undefined ? null : findMessage(this.#list.element, position.seq);
    if (!position || !message) {
      // The place at which the page was opened is near.
      if (!this.#list.hasNewer) this.scrollToEnd();
      return;
    }
    this.#isFollowing = false;
    const { top } = this.view.getBoundingClientRect();
    this.view.scrollTop += message.getBoundingClientRect().top - top - position.top;
    this.#lastTop = this.view.scrollTop;
    this.#updateButton();
  }

  /** Scroll to the latest message, which must be loaded. */
  scrollToEnd() {
    this.#isFollowing = true;
    this.view.scrollTop = this.view.scrollHeight;
    this.#updateButton();
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
   * Keep what is on the screen in its place while messages above it are replaced: they may become higher.
   *
   * @param {HTMLElement} message
   */
  async #onReplacing(message) {
    if (this.#isFollowing || this.#isKeepingPosition) return;
    if (message.getBoundingClientRect().bottom > this.view.getBoundingClientRect().top) return;
    this.#isKeepingPosition = true;
    const { position } = this;
    // The first microtask is before that in which the new messages are decorated (message_decoration.js).
    await Promise.resolve();
    await Promise.resolve();
    this.#isKeepingPosition = false;
    const isLoaded = position?.seq !== undefined && findMessage(this.#list.element, position.seq) !== null;
    if (isLoaded && !this.#isFollowing) this.restore(position);
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
    const isAtEnd = scrollHeight - scrollTop - clientHeight <= END_TOLERANCE_PX;
    // Only scrolling up stops following: a new message also moves the end away.
    if (isAtEnd && !this.#list.hasNewer) this.#isFollowing = true;
    else if (scrollTop < this.#lastTop) this.#isFollowing = false;
    this.#lastTop = scrollTop;
    this.#updateButton();
  }

  #count() {
    if (this.#isFollowing) return;
    this.#arrived += 1;
    this.#updateButton();
  }

  #updateButton() {
    if (this.#isFollowing) this.#arrived = 0;
    this.#button.hidden = this.#isFollowing;
    const label = this.#arrived === 0 ? "Jump to latest" : `Jump to latest (${this.#arrived})`;
    setText(find(this.#button, "[data-jump-to-latest-label]"), label);
  }
}
