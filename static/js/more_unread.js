// Buttons that lead to unread conversations above or below the visible part of the sidebar.

import { find } from "./dom.js";

/** @import { Sidebar } from "./sidebar.js" */
/** @import { UnreadBadges } from "./unread_badges.js" */

/** @typedef {"above" | "below"} Direction */

/**
 * @param {Sidebar} sidebar
 * @param {UnreadBadges} badges
 */
export function showMoreUnread(sidebar, badges) {
  /** @type {Set<Element>} the entries that are not visible */
  const hidden = new Set();
  const observer = new IntersectionObserver(onScrolled, { root: sidebar.lists });
  const buttons = /** @type {Direction[]} */ (["above", "below"]).map((direction) => ({
    direction,
    button: find(document, `[data-more-unread="${direction}"]`),
  }));

  /** @param {IntersectionObserverEntry[]} records */
  function onScrolled(records) {
    for (const { target, isIntersecting, boundingClientRect: box } of records) {
      // Those of a collapsed section, or of a closed drawer, have no height.
      hidden[isIntersecting || box.height === 0 ? "delete" : "add"](target);
    }
    render();
  }

  /**
   * One step of scrolling may take an entry from below the visible part to above it: that is not observed.
   *
   * @param {HTMLElement} entry
   * @returns {Direction}
   */
  const directionOf = (entry) =>
    entry.getBoundingClientRect().top < sidebar.lists.getBoundingClientRect().top ? "above" : "below";

  /** @param {Direction} wanted */
  const listUnread = (wanted) =>
    sidebar.unreadEntries.filter((entry) => hidden.has(entry) && directionOf(entry) === wanted);

  function render() {
    for (const { direction, button } of buttons) button.hidden = listUnread(direction).length === 0;
  }

  function observe() {
    observer.disconnect();
    hidden.clear();
    for (const entry of sidebar.entries) observer.observe(entry);
  }

  for (const { direction, button } of buttons)
    button.addEventListener("click", () => {
      const unread = listUnread(direction);
      unread.at(direction === "above" ? -1 : 0)?.scrollIntoView({ block: "center" });
    });
  sidebar.on("refreshed", observe);
  badges.on("changed", render);
  observe();
}
