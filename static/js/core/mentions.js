// Recognises mentions in a text that is being written, and ranks the people that it may mean.

// A name may be written with any letters: the username is inserted.
const UNFINISHED_MENTION = /(?:^|[^\w@./-])@([\p{L}\p{M}\p{N}._-]*)$/u;
const MENTION_ALL = /(?<![\w@./-])@all(?![\w@])/i;

/**
 * Return the beginning of a name after the "@" before the caret, or null where no name is being written.
 *
 * @param {string} textBeforeCaret
 */
export const findMentionPrefix = (textBeforeCaret) => UNFINISHED_MENTION.exec(textBeforeCaret)?.[1] ?? null;

/** @param {string} text */
export const mentionsAll = (text) => MENTION_ALL.test(text);

/** @typedef {{username: string, name: string}} Mentionable */

/**
 * Return the people that a prefix may mean, the best match first: a username that begins with it, then a name, then a word
 * of a name. Equal matches are ordered by how recently they wrote, then by name.
 *
 * @template {Mentionable} T
 * @param {T[]} people
 * @param {string} prefix
 * @param {string[]} recent usernames, the latest first
 */
export function rankMentions(people, prefix, recent) {
  const wanted = fold(prefix);
  const recency = new Map(recent.map((username, index) => [username, index]));
  return people
    .map((person) => ({
      person,
      match: matchOf(person, wanted),
      recency: recency.get(person.username) ?? Infinity,
      name: fold(person.name),
    }))
    .filter(({ match }) => match !== null)
    .sort((a, b) => Number(a.match) - Number(b.match) || compare(a.recency, b.recency) || a.name.localeCompare(b.name))
    .map(({ person }) => person);
}

/**
 * Compare numbers that may be infinite.
 *
 * @param {number} a
 * @param {number} b
 */
const compare = (a, b) => (a === b ? 0 : a - b);

/**
 * @param {Mentionable} person
 * @param {string} prefix
 */
function matchOf({ username, name }, prefix) {
  if (fold(username).startsWith(prefix)) return 0;
  const folded = fold(name);
  if (folded.startsWith(prefix)) return 1;
  return folded.split(/[\s-]+/).some((word) => word.startsWith(prefix)) ? 2 : null;
}

/**
 * Return a text without case and accents.
 *
 * @param {string} text
 */
const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
