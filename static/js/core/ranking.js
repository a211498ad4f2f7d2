// Ranks what people may mean by what they have typed.

/**
 * @typedef {object} Named
 * @property {string} key
 * @property {string} title orders equal matches
 * @property {string[]} names by which it is found, the most specific first
 */

/** Ends a word of a name. */
const WORD_END = /[\s\-_./,]+/;

/**
 * Return what a text may mean, the best match first: a name that is the text, the first name that begins with it, another
 * name, then further words of the names. Equal matches are ordered by how recently they were used, then by title.
 *
 * @template {Named} T
 * @param {T[]} items
 * @param {string} text
 * @param {string[]} recent keys, the latest first
 */
export function rank(items, text, recent) {
  const wanted = fold(text.trim());
  const recency = new Map(recent.map((key, index) => [key, index]));
  return items
    .map((item) => ({
      item,
      match: matchOf(item.names.map(fold), wanted),
      recency: recency.get(item.key) ?? Infinity,
      title: fold(item.title),
    }))
    .filter(({ match }) => match !== null)
    .sort(
      (a, b) => Number(a.match) - Number(b.match) || compare(a.recency, b.recency) || a.title.localeCompare(b.title),
    )
    .map(({ item }) => item);
}

/**
 * Compare numbers that may be infinite.
 *
 * @param {number} a
 * @param {number} b
 */
const compare = (a, b) => (a === b ? 0 : a - b);

/**
 * @param {string[]} names
 * @param {string} wanted
 */
function matchOf(names, wanted) {
  if (names.includes(wanted)) return 0;
  const index = names.findIndex((name) => name.startsWith(wanted));
  if (index >= 0) return index === 0 ? 1 : 2;
  const words = names.flatMap((name) => name.split(WORD_END));
  return wanted.split(WORD_END).every((part) => words.some((word) => word.startsWith(part))) ? 3 : null;
}

/**
 * Return a text without case and accents.
 *
 * @param {string} text
 */
const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
