// Edits of a text field: what is replaced, and what is selected afterwards.

/**
 * A text and what is selected in it.
 *
 * @typedef {{value: string, start: number, end: number}} Field
 */
/**
 * Replaces `start` to `end` by `text`.
 *
 * @typedef {{start: number, end: number, text: string, selection: [number, number]}} Edit
 */

/** @param {Field} field */
export function selectLines({ value, start, end }) {
  const [first, last] = [findLineStart(value, start), findLineEnd(value, end)];
  return { start: first, end: last, text: value.slice(first, last) };
}

/**
 * Replace lines. A caret stays where it is in the text, a selection contains the lines.
 *
 * @param {Field} field
 * @param {{start: number, end: number, text: string}} lines
 * @param {string} text
 * @returns {Edit}
 */
export function replaceLines(field, { start, end, text: replaced }, text) {
  const { start: position } = field;
  const moved = Math.max(start, position + text.length - replaced.length);
  return { start, end, text, selection: position === field.end ? caret(moved) : range(start, text.length) };
}

/**
 * @param {string} value
 * @param {number} position
 */
export const findLineStart = (value, position) => value.slice(0, position).lastIndexOf("\n") + 1;

/**
 * @param {string} value
 * @param {number} position
 */
export function findLineEnd(value, position) {
  const end = value.indexOf("\n", position);
  return end === -1 ? value.length : end;
}

/**
 * Return the word around the caret.
 *
 * @param {Field} field
 */
export function findWord({ value, start }) {
  const after = value.slice(start).search(/[^\p{L}\p{M}\p{N}_]|$/u);
  return { start: value.slice(0, start).search(/[\p{L}\p{M}\p{N}_]*$/u), end: start + after };
}

/**
 * Return what is selected without the white space around it.
 *
 * @param {Field} field
 */
export function trim(field) {
  const text = selected(field);
  const start = field.start + text.length - text.trimStart().length;
  return { start, end: start + text.trim().length };
}

/** @param {Field} field */
export const selected = ({ value, start, end }) => value.slice(start, end);

/**
 * @param {number} position
 * @returns {[number, number]}
 */
export const caret = (position) => [position, position];

/**
 * @param {number} start
 * @param {number} length
 * @returns {[number, number]}
 */
export const range = (start, length) => [start, start + length];

/**
 * Return whether the line after a text is inside a block of code.
 *
 * @param {string} text
 */
export const isInCodeBlock = (text) => (text.match(/^ {0,3}(?:```|~~~)/gm) ?? []).length % 2 === 1;

/** @param {string} text */
export const isWebAddress = (text) => /^https?:\/\/[^\s<>]+$/i.test(text.trim());
