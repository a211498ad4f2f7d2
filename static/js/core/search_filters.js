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
 * Return a text without the filter that is being written at the caret. The end of its value may be after the caret.
 *
 * @param {string} text
 * @param {number} caret
 * @param {{ value: string, start: number }} filter
 */
export function removeFilter(text, caret, { value, start }) {
  const rest = /^["“]/.test(value) ? /^(?:[^"“”]*["”]|[^\s"“”]*)/ : /^[^\s"“”]*/;
  return text.slice(0, start) + text.slice(caret).replace(rest, "");
}

/**
 * Return whether a value that is being written is one of the complete ones.
 *
 * @param {string} value
 * @param {string[]} complete
 */
export function isComplete(value, complete) {
  const typed = cleanValue(value).toLowerCase();
  return complete.some((each) => cleanValue(each).toLowerCase() === typed);
}

/**
 * Return a value that is being written without what marks people, rooms and phrases.
 *
 * @param {string} value
 */
export const cleanValue = (value) => value.replace(/^["“]?[@#]?/, "");
