// A banner with a link to the first unread message, until that was in view.

import { find } from "./dom.js";

/** @import { PageConnection } from "./core/page_connection.js" */
/** @import { MessageList } from "./message_list.js" */
/** @import { UnreadDivider } from "./unread_divider.js" */

/**
 * The server shows the banner where the first unread message is not on the page. Here it is shown, too, where that is
 * outside of the view.
 */
export class UnreadBanner {
  #banner;
  #divider;
  /** @type {Element | null} */
  #line = null;
  #observer;
  #unread;

  /**
   * @param {HTMLElement} main
   * @param {HTMLElement} view
   * @param {MessageList} list
   * @param {UnreadDivider} divider
   */
  constructor(main, view, list, divider) {
    this.#banner = find(main, "[data-unread-banner]");
    this.#divider = divider;
    this.#observer = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) this.#onMoved(entry);
      },
      { root: view },
    );
    this.#unread = Number(main.dataset.unread);
    if (this.#unread === 0) return;
    this.#observeLine();
    list.element.addEventListener("message:prepended", () => this.#observeLine());
    find(this.#banner, "a").addEventListener("click", (event) => {
      const { line } = divider;
      if (!line) return;
      event.preventDefault();
      line.scrollIntoView({ block: "center" });
    });
  }

  /**
   * Keep the count up to date, and hide the banner when everything was read, also on another device.
   *
   * @param {PageConnection} connection
   * @param {string} conversation
   */
  follow(connection, conversation) {
    connection.on("unread_changed", (state) => {
      if (state.conversation !== conversation) return;
      this.#unread = state.unread;
      find(this.#banner, "[data-count]").textContent = describeUnread(state.unread);
      find(this.#banner, "a", HTMLAnchorElement).search = `?around=${state.last_read_seq + 1}`;
      if (state.unread === 0) this.hide();
    });
  }

  /** Show it again: the reader has skipped unread messages. */
  showAgain() {
    this.#banner.hidden = this.#unread === 0;
  }

  hide() {
    this.#observer.disconnect();
    this.#banner.hidden = true;
    this.#line = null;
  }

  #observeLine() {
    const { line } = this.#divider;
    if (!line || line === this.#line) return;
    this.#line = line;
    this.#observer.observe(line);
  }

  /** @param {IntersectionObserverEntry} entry */
  #onMoved({ isIntersecting, boundingClientRect, rootBounds }) {
    if (isIntersecting) this.hide();
    // Scrolled past in one frame, or removed: then it has no size.
    else if (boundingClientRect.height > 0 && rootBounds) this.#banner.hidden = false;
  }
}

/** @param {number} count counted up to 1,000, as on the server */
const describeUnread = (count) => `${count < 1_000 ? count : "1,000+"} unread`;
