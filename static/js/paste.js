// Pasting into fields for Markdown: links, tables, code and formatted text become Markdown.

import { fenceCode, formatTable, isConverting, isFormatted, linkSelection, parseTable } from "./core/markdown_paste.js";
import { caret } from "./core/text_edits.js";
import { isMarkdownField } from "./formatting.js";
import { applyEdit, readField } from "./text_field.js";

/** Text that is longer is pasted as it is: nobody waits for its conversion. */
const MAX_HTML_CHARS = 500_000;

/** Enable pasting in all fields for Markdown. Ctrl + Shift + V pastes plain text. */
export function enableMarkdownPaste() {
  let isPlain = false;
  document.addEventListener("keydown", ({ key, ctrlKey, metaKey, shiftKey }) => {
    isPlain = (ctrlKey || metaKey) && shiftKey && key.toLowerCase() === "v";
  });
  document.addEventListener("paste", (event) => {
    if (!isPlain && event.clipboardData && isMarkdownField(event.target) && paste(event.target, event.clipboardData))
      event.preventDefault();
    isPlain = false;
  });
}

/**
 * Paste what is to be converted. Returns false if the browser is to paste the plain text.
 *
 * @param {HTMLTextAreaElement} field
 * @param {DataTransfer} data
 */
function paste(field, data) {
  const before = readField(field);
  const text = data.getData("text/plain").replaceAll("\r\n", "\n");
  if (!text || !isConverting(before)) return false;
  const link = linkSelection(before, text);
  if (link) applyEdit(field, link);
  const converted = link ? null : convert(text, data);
  if (converted) replacePasted(field, text, converted);
  return Boolean(link ?? converted);
}

/**
 * @param {string} text
 * @param {DataTransfer} data
 */
function convert(text, data) {
  const code = fenceCode(text, data.getData("vscode-editor-data"));
  if (code) return code;
  const html = data.getData("text/html");
  if (html.length <= MAX_HTML_CHARS && isFormatted(html)) return convertHtml(html);
  const rows = parseTable(text);
  return rows && formatTable(rows);
}

/** @param {string} html */
async function convertHtml(html) {
  const module = await import("./html_to_markdown.js");
  return module.convertHtml(html, formatTable);
}

/**
 * Paste the plain text, and then replace it, so that undo leads back to it.
 *
 * @param {HTMLTextAreaElement} field
 * @param {string} text
 * @param {string | Promise<string>} converted
 */
async function replacePasted(field, text, converted) {
  const { start, end } = readField(field);
  applyEdit(field, { start, end, text, selection: caret(start + text.length) });
  const { value } = field;
  // Without a connection, the library cannot be loaded.
  const markdown = await Promise.resolve(converted).catch(() => text);
  // Somebody who has typed on meanwhile, or has sent the message, keeps the plain text.
  if (markdown === text || field.value !== value) return;
  applyEdit(field, { start, end: start + text.length, text: markdown, selection: caret(start + markdown.length) });
}
