// What is pasted into a Markdown text: links, code, and what is worth being converted.

import { fence } from "./markdown_formats.js";
import { caret, isInCodeBlock, isWebAddress, selected } from "./text_edits.js";

/** @import { Edit, Field } from "./text_edits.js" */

/** Elements that plain text does not show. Some documents are as a whole in a <b> that is not bold. */
const FORMATTED =
  /<(?:strong|i|em|del|s|strike|code|pre|blockquote|[uo]l|table|h[1-6]|hr)\b|<b(?![^>]*font-weight: ?normal)\b|<a\s[^>]*href|<span[^>]*(?:font-weight: ?[6-9bB]|font-style: ?italic)/i;

/**
 * Return the edit that makes what is selected the text of a link, or null where it cannot be one.
 *
 * @param {Field} field
 * @param {string} address
 * @returns {Edit | null}
 */
export function linkSelection(field, address) {
  const text = selected(field);
  if (!text.trim() || text.includes("\n") || isWebAddress(text) || !isWebAddress(address)) return null;
  const { value, start, end } = field;
  // A part of an address, or the address of another link.
  if (/\]\($|https?:\/\/\S*$/.test(value.slice(0, start))) return null;
  const link = `[${text}](${escapeAddress(address.trim())})`;
  return { start, end, text: link, selection: caret(start + link.length) };
}

/**
 * Return code from an editor as a block, or null if it is only a part of a line.
 *
 * @param {string} text
 * @param {string} editorData of VS Code: JSON with the language
 */
export function fenceCode(text, editorData) {
  const code = text.replace(/\n+$/, "");
  return editorData && code.includes("\n") ? fence(code, findLanguage(editorData)) : null;
}

/**
 * Return whether HTML has a format that Markdown has, too.
 *
 * @param {string} html
 */
export const isFormatted = (html) => FORMATTED.test(html);

/**
 * Return the rows of a text whose lines have the same number of columns, separated by tabs, as spreadsheets have them.
 * Null for other texts.
 *
 * @param {string} text
 */
export function parseTable(text) {
  const rows = text
    .replace(/(?:\r?\n)+$/, "")
    .split(/\r?\n/)
    .map((line) => line.split("\t"));
  const [first = []] = rows;
  const isTable = rows.length > 1 && first.length > 1 && first.some((cell) => cell.trim());
  // Lines of code are indented by tabs.
  const isCode = rows.every(([cell]) => cell === "");
  return isTable && !isCode && rows.every(({ length }) => length === first.length) ? rows : null;
}

/**
 * Return rows as a table. The first one is its head.
 *
 * @param {string[][]} rows
 */
export function formatTable(rows) {
  const columns = Math.max(...rows.map(({ length }) => length));
  const [head = "", ...body] = rows.map((row) => formatRow(Array.from({ length: columns }, (_, index) => row[index])));
  return [head, formatRow(Array(columns).fill("---")), ...body].join("\n");
}

/** @param {(string | undefined)[]} cells */
const formatRow = (cells) => `| ${cells.map(formatCell).join(" | ")} |`;

/** @param {string | undefined} cell */
const formatCell = (cell) =>
  (cell ?? "")
    .trim()
    .replaceAll(/\s+/g, " ")
    .replaceAll(/(?<!\\)\|/g, "\\|");

/**
 * Return whether a paste at this place is to be converted. In code it is not.
 *
 * @param {Field} field
 */
export function isConverting({ value, start }) {
  const before = value.slice(0, start);
  const line = before.slice(before.lastIndexOf("\n") + 1);
  return !isInCodeBlock(before) && (line.match(/`/g) ?? []).length % 2 === 0;
}

/**
 * Return an address without the brackets that would end it.
 *
 * @param {string} address
 */
const escapeAddress = (address) => address.replaceAll("(", "%28").replaceAll(")", "%29");

/** @param {string} editorData */
function findLanguage(editorData) {
  try {
    const { mode } = JSON.parse(editorData);
    return /^[\w+#-]+$/.test(mode) && mode !== "plaintext" ? mode : "";
  } catch {
    return "";
  }
}
