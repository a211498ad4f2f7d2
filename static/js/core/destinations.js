// Chooses what the dialog in which people jump to a page lists.

import { rank } from "./ranking.js";

/** @import { Named } from "./ranking.js" */

/**
 * @typedef {Named & {isKnown: boolean, isFavorite: boolean, isUnread: boolean}} Destination the key is the path; `isKnown`
 * ones are listed before anything is typed
 */

const MAX_LISTED = 50;

/** Some write the names of people and rooms so. */
const PREFIX = /^[@#]/;

/**
 * Return the destinations that fit a text. Without one: those opened last, but not the current page, then the favorites,
 * then those with unread messages, then the other known ones.
 *
 * @template {Destination} T
 * @param {T[]} destinations
 * @param {string} text
 * @param {string[]} recent paths, the latest first
 * @param {string} currentPath
 */
export function chooseDestinations(destinations, text, recent, currentPath) {
  const wanted = text.trim().replace(PREFIX, "");
  if (wanted) return rank(destinations, wanted, recent).slice(0, MAX_LISTED);
  const others = destinations.filter(({ key }) => key !== currentPath);
  const opened = recent.flatMap((path) => others.find(({ key }) => key === path) ?? []);
  const rest = others.filter((destination) => destination.isKnown && !opened.includes(destination));
  const favorites = rest.filter(({ isFavorite }) => isFavorite);
  const unread = rest.filter(({ isUnread }) => isUnread);
  return [...new Set([...opened, ...favorites, ...unread, ...rest])].slice(0, MAX_LISTED);
}
