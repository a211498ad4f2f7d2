// Loads older messages when the reader scrolls up. Without JavaScript the link opens a page of them.

import { find } from "./dom.js";
import { seqOf } from "./message_element.js";

/** @import { AutoScroller } from "./auto_scroller.js" */
/** @import { MessageList } from "./message_list.js" */

/** Older messages are fetched before the top of the list comes into view. */
const LOAD_AHEAD_MARGIN = "600px 0px 0px 0px";

/** @typedef {{loadUntil: (seq: number) => Promise<void>}} HistoryLoader */

/**
 * @param {MessageList} list
 * @param {AutoScroller} scroller
 * @param {HTMLElement} view
 * @returns {HistoryLoader}
 */
export function enableHistoryLoading(list, scroller, view) {
  const note = find(view, "[data-history]");
  const link = find(note, "a");
  const status = find(note, "[data-history-status]");
  const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && load(), {
    root: view,
    rootMargin: LOAD_AHEAD_MARGIN,
  });
  /** @type {Promise<void> | null} */
  let loading = null;

  /** Load a page. While one is being loaded, wait for that one. */
  function load() {
    loading ??= loadOlder().finally(() => {
      loading = null;
    });
    return loading;
  }

  async function loadOlder() {
    if (!list.hasOlder || !list.oldest) return;
    setStatus("Loading older messages…", { showLink: false });
    try {
      await loadPage(list.oldest);
      setStatus("", { showLink: true });
      reobserve();
    } catch {
      link.textContent = "Try again";
      setStatus("Older messages could not be loaded.", { showLink: true });
    }
  }

  /** @param {HTMLElement} oldest */
  async function loadPage(oldest) {
    const response = await fetch(`${note.dataset.history}?before=${seqOf(oldest)}`);
    // A redirect leads to the sign-in page.
    if (!response.ok || response.redirected) throw new Error(response.statusText);
    const html = await response.text();
    // After a reset the list shows other messages, and this page does not precede them.
    if (list.oldest === oldest) await scroller.keepPosition(oldest, () => list.prepend(html));
  }

  /**
   * @param {string} text
   * @param {{showLink: boolean}} options
   */
  function setStatus(text, { showLink }) {
    status.textContent = text;
    link.hidden = !showLink;
  }

  /** An observer reports changes only, and the top may still be in view. */
  function reobserve() {
    observer.unobserve(note);
    observer.observe(note);
  }

  /**
   * Load until the message with this number is on the page, or there are no older ones.
   *
   * @param {number} seq
   */
  async function loadUntil(seq) {
    let previous = null;
    while (list.hasOlder && list.oldest && list.oldest !== previous && seqOf(list.oldest) > seq) {
      previous = list.oldest;
      await load();
    }
  }

  link.addEventListener("click", (event) => {
    event.preventDefault();
    load();
  });
  observer.observe(note);
  return { loadUntil };
}
