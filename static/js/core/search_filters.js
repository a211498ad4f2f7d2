// Recognises the filter of a search that is being written.

const WORD = /(?:^|\s)-?([a-z]{2,})$/i;
const FILTER = /(?:^|\s)(-?([a-z]+):(“[^”“"]*|"[^"“”]*|[^\s"“”]*))$/i;

/**
 * Return the beginning of a filter's name before the caret, or null where none is being written.
 *
 * @param {string} textBeforeCaret
 */
export const findNamePrefix = (textBeforeCaret) => WORD.exec(textBeforeCaret)?.[1] ?? null;

/**
 * Return the filter that is being written and where it begins, or null where another text is. Its value may have a
 * quotation mark.
 *
 * @param {string} textBeforeCaret
 */
export function findFilter(textBeforeCaret) {
  const [, filter, name, value] = FILTER.exec(textBeforeCaret) ?? [];
  if (filter === undefined || name === undefined || value === undefined) return null;
  return { name: name.toLowerCase(), value, start: textBeforeCaret.length - filter.length };
}

/**
 * Return the value that is being written for a filter, with its quotation mark, or null where another text is.
 *
 * @param {string} textBeforeCaret
 * @param {string} name
 */
export function findValuePrefix(textBeforeCaret, name) {
  const filter = findFilter(textBeforeCaret);
  return filter?.name === name ? filter.value : null;
}

/**
 * Return a value that is being written without what marks people, rooms and phrases.
 *
 * @param {string} value
 */
export const cleanValue = (value) => value.replace(/^["“]?[@#]?/, "");
