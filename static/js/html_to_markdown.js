// Converts HTML that was pasted to Markdown. It is loaded when it is used first.

import { Turndown } from "./turndown.js";

/** Addresses that a message may link to. */
const LINKED = /^(?:https?|mailto):/i;

/**
 * Return the Markdown of HTML.
 *
 * @param {string} html
 * @param {(rows: string[][]) => string} formatTable
 */
export function convertHtml(html, formatTable) {
  const service = new Turndown({
    headingStyle: "atx",
    bulletListMarker: "-",
    codeBlockStyle: "fenced",
    emDelimiter: "*",
    hr: "---",
  });
  service.remove(["style", "script", "title", "noscript", "button"]);
  service.addRule("strikethrough", { filter: ["del", "s", "strike"], replacement: (text) => mark(text, "~~") });
  service.addRule("task", {
    filter: ["input"],
    replacement: (_, node) => (node.matches("[type=checkbox]") ? `[${node.matches("[checked]") ? "x" : " "}]` : ""),
  });
  service.addRule("item", { filter: ["li"], replacement: formatItem });
  service.addRule("image", { filter: ["img"], replacement: (_, node) => node.getAttribute("alt") ?? "" });
  service.addRule("link", { filter: ["a"], replacement: formatLink });
  const convertCell = (/** @type {HTMLElement} */ cell) => service.turndown(cell);
  service.addRule("table", {
    filter: ["table"],
    replacement: (_, table) => `\n\n${formatTable(readRows(/** @type {HTMLTableElement} */ (table), convertCell))}\n\n`,
  });
  // Word processors write styles, and put whole documents into a <b> that is not bold.
  service.addRule("styled", {
    filter: (node) => node.matches("b[style], span[style]"),
    replacement: (text, { style }) => {
      const italic = mark(text, style.fontStyle === "italic" ? "*" : "");
      return mark(italic, /^(?:bold|[6-9]00)/.test(style.fontWeight) ? "**" : "");
    },
  });
  return service.turndown(html).trim();
}

/**
 * Put marks around a text. White space stays outside.
 *
 * @param {string} text
 * @param {string} characters
 */
const mark = (text, characters) => (text.trim() ? text.replace(/\S(?:[^]*\S)?/, `${characters}$&${characters}`) : text);

/**
 * @param {string} text
 * @param {HTMLElement} link
 */
function formatLink(text, link) {
  const address = link.getAttribute("href") ?? "";
  if (!text.trim() || !LINKED.test(address)) return text;
  if (link.textContent?.trim() === address) return address;
  return `[${text.trim().replaceAll(/\n+/g, " ")}](${address.replaceAll("(", "%28").replaceAll(")", "%29")})`;
}

/**
 * @param {string} text
 * @param {HTMLElement} item
 */
function formatItem(text, item) {
  const list = /** @type {HTMLElement} */ (item.parentElement);
  const start = Number(list.getAttribute("start") ?? 1);
  const marker = list.matches("ol") ? `${start + [...list.children].indexOf(item)}. ` : "- ";
  const lines = text
    .trim()
    .replaceAll(/\n{2,}/g, "\n")
    .replaceAll("\n", `\n${" ".repeat(marker.length)}`);
  return `${marker}${lines}${item.nextElementSibling ? "\n" : ""}`;
}

/**
 * @param {HTMLTableElement} table
 * @param {(cell: HTMLElement) => string} convertCell
 */
const readRows = (table, convertCell) => [...table.rows].map((row) => [...row.cells].map((cell) => convertCell(cell)));
