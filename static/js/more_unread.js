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
  /** @type {Map<Element, Direction>} the entries that are not visible */
  const directions = new Map();
  const observer = new IntersectionObserver(onScrolled, { root: sidebar.lists });
  const buttons = /** @type {Direction[]} */ (["above", "below"]).map((direction) => ({
    direction,
    button: find(document, `[data-more-unread="${direction}"]`),
  }));

  /** @param {IntersectionObserverEntry[]} records */
  function onScrolled(records) {
    for (const { target, isIntersecting, boundingClientRect: box, rootBounds } of records) {
      // Those of a collapsed section, or of a closed drawer, have no height.
      if (isIntersecting || box.height === 0) directions.delete(target);
      else directions.set(target, box.top < (rootBounds?.top ?? 0) ? "above" : "below");
    }
    render();
  }

  /** @param {Direction} wanted */
  const listUnread = (wanted) => sidebar.unreadEntries.filter((entry) => directions.get(entry) === wanted);

  function render() {
    for (const { direction, button } of buttons) button.hidden = listUnread(direction).length === 0;
  }

  function observe() {
    observer.disconnect();
    directions.clear();
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
