// Loads older and newer messages when the reader scrolls to an end of the list. Without JavaScript, links open pages of them.

import { find } from "./dom.js";
import { seqOf } from "./message_element.js";

/** @import { AutoScroller } from "./auto_scroller.js" */
/** @import { MessageList } from "./message_list.js" */

/** Messages are fetched before the end of the list comes into view. */
const LOAD_AHEAD_PX = 600;

/** Messages that are loaded to find the place of a reader again. Further away, only those around it are. */
export const MAX_LOADED_MESSAGES = 500;

/** @typedef {{loadUntil: (seq: number) => Promise<void>}} HistoryLoader */

/**
 * @param {MessageList} list
 * @param {AutoScroller} scroller
 * @param {HTMLElement} view
 * @returns {HistoryLoader}
 */
export function enableHistoryLoading(list, scroller, view) {
  const older = new EdgeLoader(find(view, "[data-older-messages]"), view, {
    hasMore: () => list.hasOlder && list.oldest !== null,
    load: () => loadOlder(list, scroller, older.source),
    failure: "Older messages could not be loaded.",
  });
  /** @type {HTMLElement | null} */
  const note = view.querySelector("[data-newer-messages]");
  if (note) {
    const newer = new EdgeLoader(note, view, {
      hasMore: () => list.hasNewer && list.newest !== null,
      load: () => loadNewer(list, newer.source),
      failure: "Newer messages could not be loaded.",
    });
  }
  return { loadUntil: (seq) => loadUntil(list, older, seq) };
}

/** Loads pages while the note at one end of the list is near the view. */
class EdgeLoader {
  #note;
  #link;
  #status;
  #options;
  #observer;
  /** @type {Promise<void> | null} */
  #loading = null;

  /**
   * @param {HTMLElement} note
   * @param {HTMLElement} view
   * @param {{hasMore: () => boolean, load: () => Promise<void>, failure: string}} options
   */
  constructor(note, view, options) {
    this.#note = note;
    this.#link = find(note, "a");
    this.#status = find(note, "[data-history-status]");
    this.#options = options;
    this.#link.addEventListener("click", (event) => {
      event.preventDefault();
      this.load();
    });
    // A busy browser reports several changes at once: the last one counts.
    this.#observer = new IntersectionObserver((entries) => entries.at(-1)?.isIntersecting && this.load(), {
      root: view,
      rootMargin: `${LOAD_AHEAD_PX}px 0px`,
    });
    this.#observer.observe(note);
  }

  get source() {
    return this.#note.dataset.source ?? "";
  }

  /** Load a page. While one is being loaded, wait for that one. */
  load() {
    this.#loading ??= this.#load().finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  async #load() {
    const { hasMore, load, failure } = this.#options;
    if (!hasMore()) return;
    this.#setStatus("Loading messages…", { showLink: false });
    try {
      await load();
      this.#setStatus("", { showLink: true });
      // An observer reports changes only, and the end may still be in view.
      this.#observer.unobserve(this.#note);
      this.#observer.observe(this.#note);
    } catch {
      this.#link.textContent = "Try again";
      this.#setStatus(failure, { showLink: true });
    }
  }

  /**
   * @param {string} text
   * @param {{showLink: boolean}} options
   */
  #setStatus(text, { showLink }) {
    this.#status.textContent = text;
    this.#link.hidden = !showLink;
  }
}

/**
 * @param {MessageList} list
 * @param {AutoScroller} scroller
 * @param {string} source
 */
async function loadOlder(list, scroller, source) {
  const oldest = /** @type {HTMLElement} */ (list.oldest);
  await list.load(
    () => fetchPage(`${source}?before=${seqOf(oldest)}`),
    async (html) => {
      // After a reset the list shows other messages, and this page does not precede them.
      if (list.oldest === oldest) await scroller.keepPosition(oldest, () => list.prepend(html));
    },
  );
}

/**
 * @param {MessageList} list
 * @param {string} source
 */
async function loadNewer(list, source) {
  const newestSeq = seqOf(list.newest);
  await list.load(
    () => fetchPage(`${source}?after=${newestSeq}`),
    async (html) => {
      if (list.hasNewer && seqOf(list.newest) === newestSeq) list.append(html);
    },
  );
}

/** @param {string} url */
async function fetchPage(url) {
  const response = await fetch(url);
  // A redirect leads to the sign-in page.
  if (!response.ok || response.redirected) throw new Error(response.statusText);
  return response.text();
}

/**
 * Load until the message with this number is on the page, there are no older ones, or it is too far away.
 *
 * @param {MessageList} list
 * @param {EdgeLoader} older
 * @param {number} seq
 */
async function loadUntil(list, older, seq) {
  if (seqOf(list.oldest) - seq > MAX_LOADED_MESSAGES) return;
  let previous = null;
  while (list.hasOlder && list.oldest && list.oldest !== previous && seqOf(list.oldest) > seq) {
    previous = list.oldest;
    await older.load();
  }
}
