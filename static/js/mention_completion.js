// Completes the names of people after an "@".

import { findMentionPrefix } from "./core/mentions.js";
import { rank } from "./core/ranking.js";
import { findAll } from "./dom.js";
import { namedPeople, OptionSource } from "./option_source.js";

/** @import { Completion } from "./autocomplete.js" */

/**
 * The list of people is fetched once, and filtered here: what is suggested always fits what has been written. In a
 * conversation of so many people that the list is not complete, more are fetched for each prefix.
 *
 * @param {string} path of the list
 * @param {HTMLElement} messages
 * @returns {Completion}
 */
export function completeMentions(path, messages) {
  const source = new OptionSource((prefix) => `${path}?prefix=${encodeURIComponent(prefix)}`);
  return {
    label: "People",
    findPrefix: findMentionPrefix,
    load: (prefix) => source.request(source.options.size === 0 ? "" : prefix),
    list: (prefix) => {
      const ranked = rank(namedPeople(source.options.values()), prefix, listRecentSenders(messages));
      const options = ranked.map(({ element }) => element);
      // Enter after the "@" alone does not notify everyone.
      return prefix ? options : options.toSorted((one, other) => Number(isAll(one)) - Number(isAll(other)));
    },
    insertionOf: ({ dataset }) => dataset.username ?? "",
  };
}

/** @param {HTMLElement} option */
const isAll = ({ dataset }) => dataset.username === "all";

/**
 * Return the usernames of the other senders, the latest first.
 *
 * @param {HTMLElement} messages
 */
const listRecentSenders = (messages) =>
  findAll(messages, ".message:not(.is-own) a.message-sender")
    .map(({ title }) => title.replace("@", ""))
    .reverse()
    .filter((username, index, all) => all.indexOf(username) === index);
