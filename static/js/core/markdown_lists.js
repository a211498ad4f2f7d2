// Lists and quotes of a Markdown text while they are written.

import { caret, findLineEnd, findLineStart, isInCodeBlock, replaceLines, selectLines } from "./text_edits.js";

/** @import { Edit, Field } from "./text_edits.js" */

const ITEM = /^\s*(?:> ?)*(?:[-*+]|\d{1,9}[.)]) +(?:\[[ xX]\] +)?/;
const QUOTE = /^\s*(?:> ?)+/;

/**
 * Return the edit that begins the next line as a list or a quote goes on, or ends it if the line is empty. Null where
 * there is none.
 *
 * @param {Field} field
 * @returns {Edit | null}
 */
export function continueLine({ value, start, end }) {
  const lineStart = findLineStart(value, start);
  const line = value.slice(lineStart, start);
  const item = ITEM.exec(line);
  const marker = item?.[0] ?? QUOTE.exec(line)?.[0];
  if (marker === undefined || isInCodeBlock(value.slice(0, lineStart))) return null;
  const lineEnd = findLineEnd(value, end);
  if (!value.slice(lineStart + marker.length, lineEnd).trim())
    return { start: lineStart, end: lineEnd, text: "", selection: [lineStart, lineStart] };
  const text = `\n${item ? nextItem(marker) : marker}`;
  return { start, end, text, selection: caret(start + text.length) };
}

/**
 * Return the edit that moves the selected items of a list below the item before them, or back. Null where this is not
 * possible.
 *
 * @param {Field} field
 * @param {boolean} isOutdent
 * @returns {Edit | null}
 */
export function indentItems(field, isOutdent) {
  const { value } = field;
  const lines = selectLines(field);
  const item = parseItem(lines.text);
  if (!item || isInCodeBlock(value.slice(0, lines.start))) return null;
  const target = isOutdent ? findOuterIndent(value, lines.start, item.indent) : findInnerIndent(value, lines.start);
  const shift = target - item.indent;
  if (isOutdent ? shift >= 0 : shift <= 0) return null;
  const text = lines.text
    .split("\n")
    .map((line) => (isOutdent ? line.replace(new RegExp(`^ {0,${-shift}}`), "") : " ".repeat(shift) + line))
    .join("\n");
  // A list that begins with another number would be a part of the paragraph above it.
  const numbered = isOutdent ? text : text.replace(/^( *)\d+/, "$11");
  return replaceLines(field, lines, numbered);
}

/**
 * Return the start of the item after one that starts like this.
 *
 * @param {string} start
 */
const nextItem = (start) =>
  start.replace(/\[[xX]\]/, "[ ]").replace(/\d+(?=[.)] )/, (number) => String(Number(number) + 1));

/**
 * Return the indentation of the item that the one at `lineStart` belongs to.
 *
 * @param {string} value
 * @param {number} lineStart
 * @param {number} indent
 */
const findOuterIndent = (value, lineStart, indent) =>
  itemsBefore(value, lineStart).findLast((item) => item.indent < indent)?.indent ?? 0;

/**
 * Return the indentation of an item below the one before `lineStart`.
 *
 * @param {string} value
 * @param {number} lineStart
 */
const findInnerIndent = (value, lineStart) => itemsBefore(value, lineStart).at(-1)?.textIndent ?? 0;

/**
 * Return the items of the list that ends before `lineStart`.
 *
 * @param {string} value
 * @param {number} lineStart
 */
function itemsBefore(value, lineStart) {
  const lines = value.slice(0, lineStart).split("\n").slice(0, -1);
  const listStart = lines.findLastIndex((line) => !line.trim()) + 1;
  return lines
    .slice(listStart)
    .map(parseItem)
    .filter((item) => item !== null);
}

/**
 * Return how far an item, and the text in it, is indented.
 *
 * @param {string} line
 */
function parseItem(line) {
  const textIndent = line.search(/(?<=^ *(?:[-*+]|\d{1,9}[.)]) )/);
  return textIndent === -1 ? null : { indent: line.search(/[^ ]/), textIndent };
}
