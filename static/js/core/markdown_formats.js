// Formats of a Markdown text: marks around what is selected, quotes, lists and blocks of code.

import { caret, findWord, isWebAddress, range, replaceLines, selected, selectLines, trim } from "./text_edits.js";

/** @import { Edit, Field } from "./text_edits.js" */
/** @typedef {"bold" | "italic" | "strikethrough" | "code" | "link" | "code-block" | "quote" | "list" | "numbered-list"} Format */

const FENCE = "```";
const URL_PLACEHOLDER = "url";

/** The parts of a line that an inline mark stays behind: white space, quotes, the marker of a list. */
const LINE_START = /^\s*(?:> ?)*(?:(?:[-*+]|\d{1,9}[.)]) +(?:\[[ xX]\] +)?)?/;

/** @type {Record<Format, (field: Field) => Edit>} */
const FORMATS = {
  bold: (field) => toggleMark(field, "**"),
  italic: (field) => toggleMark(field, "*"),
  strikethrough: (field) => toggleMark(field, "~~"),
  code: (field) => (selected(field).includes("\n") ? toggleCodeBlock(field) : toggleMark(field, "`")),
  link: insertLink,
  "code-block": toggleCodeBlock,
  quote: (field) => toggleLines(field, /^> ?/, () => "> "),
  list: (field) => toggleLines(field, /^[-*+] /, () => "- "),
  "numbered-list": (field) => toggleLines(field, /^\d{1,9}[.)] /, (number) => `${number}. `),
};

/**
 * Return the edit that adds a format to what is selected, or removes it.
 *
 * @param {Field} field
 * @param {Format} format
 */
export const applyFormat = (field, format) => FORMATS[format](field);

/**
 * Return a text as a block of code.
 *
 * @param {string} text
 * @param {string} [language]
 */
export function fence(text, language = "") {
  const runs = text.match(/`+/g) ?? [];
  const mark = "`".repeat(Math.max(FENCE.length, ...runs.map(({ length }) => length + 1)));
  return `${mark}${language}\n${text}\n${mark}`;
}

/**
 * @param {Field} field
 * @param {string} mark
 * @returns {Edit}
 */
function toggleMark(field, mark) {
  const { value } = field;
  const isCaret = field.start === field.end;
  const { start, end } = isCaret ? findWord(field) : trim(field);
  const { length } = mark;
  if (hasMark(Math.min(runAtEnd(value.slice(0, start), mark), runAtStart(value.slice(end), mark)), mark)) {
    const text = value.slice(start, end);
    const selection = isCaret ? caret(field.start - length) : range(start - length, text.length);
    return { start: start - length, end: end + length, text, selection };
  }
  if (!isCaret) return toggleMarkInLines(value.slice(start, end), start, mark);
  const text = mark + value.slice(start, end) + mark;
  return { start, end, text, selection: caret(field.start + length) };
}

/**
 * Marks do not reach over paragraphs and items: each line has its own.
 *
 * @param {string} selection
 * @param {number} start
 * @param {string} mark
 * @returns {Edit}
 */
function toggleMarkInLines(selection, start, mark) {
  const { length } = mark;
  const lines = selection.split("\n").map(splitLine);
  /** @param {string} text */
  const isOn = (text) =>
    !text || (text.length > 2 * length && hasMark(Math.min(runAtStart(text, mark), runAtEnd(text, mark)), mark));
  const isRemoving = lines.every(({ text }) => isOn(text));
  /** @param {{before: string, text: string, after: string}} line */
  function change({ before, text, after }) {
    if (isRemoving) return before + text.slice(length, Math.max(length, text.length - length)) + after;
    return before + (isOn(text) ? text : mark + text + mark) + after;
  }
  const text = lines.map(change).join("\n");
  // The same command then finds the marks around what is selected.
  const isInner = lines.length === 1 && !isRemoving && lines[0]?.before === "";
  return {
    start,
    end: start + selection.length,
    text,
    selection: isInner ? range(start + length, selection.length) : range(start, text.length),
  };
}

/** @param {string} line */
function splitLine(line) {
  const [before] = /** @type {RegExpExecArray} */ (LINE_START.exec(line));
  const text = line.slice(before.length).trimEnd();
  return { before, text, after: line.slice(before.length + text.length) };
}

/**
 * Return whether a run of a mark's character contains the mark: one asterisk is italic, two are bold, three are both.
 *
 * @param {number} run
 * @param {string} mark
 */
const hasMark = (run, mark) => (mark === "*" ? run % 2 === 1 : run >= mark.length);

/**
 * @param {string} text
 * @param {string} mark
 */
function runAtStart(text, mark) {
  let run = 0;
  while (text[run] === mark[0]) run += 1;
  return run;
}

/**
 * @param {string} text
 * @param {string} mark
 */
function runAtEnd(text, mark) {
  let run = 0;
  while (text[text.length - 1 - run] === mark[0]) run += 1;
  return run;
}

/**
 * @param {Field} field
 * @returns {Edit}
 */
function toggleCodeBlock(field) {
  const lines = selectLines(field);
  const block = /^(`{3,})[^\n`]*\n(?:(?<code>[^]*)\n)?\1$/.exec(lines.text);
  if (block) return replaceLines(field, lines, block.groups?.code ?? "");
  const text = fence(lines.text);
  const codeStart = lines.start + text.indexOf("\n") + 1;
  const selection = lines.text.includes("\n") ? range(lines.start, text.length) : range(codeStart, lines.text.length);
  return { start: lines.start, end: lines.end, text, selection };
}

/**
 * @param {Field} field
 * @returns {Edit}
 */
function insertLink(field) {
  const { start, end } = trim(field);
  const text = field.value.slice(start, end);
  if (isWebAddress(text)) return { start, end, text: `[](${text})`, selection: caret(start + 1) };
  const link = `[${text}](${URL_PLACEHOLDER})`;
  const selection = text
    ? range(start + link.length - 1 - URL_PLACEHOLDER.length, URL_PLACEHOLDER.length)
    : caret(start + 1);
  return { start, end, text: link, selection };
}

/**
 * @param {Field} field
 * @param {RegExp} pattern of the lines' start
 * @param {(number: number) => string} write returns the start of a line
 * @returns {Edit}
 */
function toggleLines(field, pattern, write) {
  const lines = selectLines(field);
  const all = lines.text.split("\n");
  const written = all.filter((line) => line.trim());
  const isRemoving = written.length > 0 && written.every((line) => pattern.test(line));
  const isQuote = pattern.test("> ");
  let number = 0;
  /** @param {string} line */
  function change(line) {
    if (isRemoving) return line.replace(pattern, "");
    if (!line.trim() && all.length > 1) return isQuote ? ">" : line;
    number += 1;
    return write(number) + (isQuote ? line : line.replace(/^(?:[-*+]|\d{1,9}[.)]) /, ""));
  }
  return replaceLines(field, lines, all.map(change).join("\n"));
}
