// Recognises the filter of a search that is being written.

const WORD = /(?:^|\s)-?([a-z]{2,})$/i;
const FILTER = /(?:^|\s)-?([a-z]+):(“[^”“"]*|"[^"“”]*|[^\s"“”]*)$/i;

/**
 * Return the beginning of a filter's name before the caret, or null where none is being written.
 *
 * @param {string} textBeforeCaret
 */
export const findNamePrefix = (textBeforeCaret) => WORD.exec(textBeforeCaret)?.[1] ?? null;

/**
 * Return the value that is being written for a filter, with its quotation mark, or null where another text is.
 *
 * @param {string} textBeforeCaret
 * @param {string} name
 */
export function findValuePrefix(textBeforeCaret, name) {
  const [, found, value = null] = FILTER.exec(textBeforeCaret) ?? [];
  return found?.toLowerCase() === name ? value : null;
}

/**
 * Return a value that is being written without what marks people, rooms and phrases.
 *
 * @param {string} value
 */
export const cleanValue = (value) => value.replace(/^["“]?[@#]?/, "");
