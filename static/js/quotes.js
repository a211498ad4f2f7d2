// Shows the messages that others refer to, in block quotes and by links that are a paragraph. Each reader sees only those
// that they may read.

import { findAll, parseHtml } from "./dom.js";

const MESSAGE_PATH = /^\/conversations\/([a-z]+(?:_\d+)?)\/messages\/(\d+)$/;

/** Maximum number of references in a message that are resolved; the others stay links. */
const MAX_REFERENCES = 10;

/** The server accepts as many in one request. */
const MAX_REQUESTED = 50;

/** A quote that is older is loaded again: the message may have been edited or deleted. */
const KEPT_MS = 60_000;

const MAX_KEPT = 500;

/** @type {Map<string, {html: Promise<string | null>, at: number}>} by name; null if this person may not read it */
const quotes = new Map();

const observer = new IntersectionObserver((entries) => {
  const visible = entries.filter(({ isIntersecting }) => isIntersecting);
  if (visible.length > 0) showQuotes(visible.map(({ target }) => /** @type {HTMLElement} */ (target)));
});

/**
 * Replace the references in a message by what they refer to, as soon as they are visible.
 *
 * @param {HTMLElement} message
 */
export function loadQuotes(message) {
  const links = findAll(message, ".message-body a[href]").filter((link) => nameOf(link) !== null);
  // Before the first one is replaced, which changes the text beside the others.
  const paragraphs = new Set(links.filter(isParagraph));
  for (const link of links.slice(0, MAX_REFERENCES)) {
    const quote = findQuote(link) ?? (paragraphs.has(link) ? replaceParagraph(message, link) : null);
    if (quote) observer.observe(quote);
  }
}

/**
 * Load the shown quotes of a message again, which has changed.
 *
 * @param {string} conversation
 * @param {number} seq
 */
export function refreshQuotes(conversation, seq) {
  const name = `${conversation}/${seq}`;
  if (!quotes.delete(name)) return;
  for (const quote of findAll(document, `[data-reference="${name}"]`)) observer.observe(quote);
}

/**
 * Load the shown quotes again when a page is shown: events of changes arrive only for the conversations that are open.
 */
export function revalidateQuotes() {
  quotes.clear();
  for (const quote of findAll(document, "[data-reference]")) observer.observe(quote);
}

/**
 * Return the block quote that consists of a link. One with a text of its own has the link for its source.
 *
 * @param {HTMLElement} link
 */
function findQuote(link) {
  const quote = link.closest("blockquote");
  if (!quote || "reference" in quote.dataset || link.textContent !== quote.textContent?.trim()) return null;
  return mark(quote, link);
}

/**
 * Return whether a link is a URL that is a paragraph, of Markdown or of a plain text.
 *
 * @param {HTMLElement} link
 */
function isParagraph(link) {
  const { parentElement: parent } = link;
  if (!parent || !/^https?:\/\//.test(link.textContent ?? "")) return false;
  if (parent.matches("p")) return parent.textContent?.trim() === link.textContent;
  return parent.matches(".message-body") && endsParagraph(link.previousSibling, link.nextSibling);
}

/**
 * Make a block quote of a URL that is a paragraph, and return it.
 *
 * @param {HTMLElement} message
 * @param {HTMLElement} link
 */
function replaceParagraph(message, link) {
  const parent = /** @type {HTMLElement} */ (link.parentElement);
  const isMarkdown = parent.matches("p");
  if (!isMarkdown) {
    keepSource(message, parent);
    trimLines(link.previousSibling, link.nextSibling);
  }
  const quote = mark(document.createElement("blockquote"), link);
  (isMarkdown ? parent : link).replaceWith(quote);
  quote.append(link);
  return quote;
}

/**
 * Remove the empty lines of a plain text that separate a paragraph: the quote has margins.
 *
 * @param {Node | null} before
 * @param {Node | null} after
 */
function trimLines(before, after) {
  if (before instanceof Text) before.data = before.data.trimEnd();
  if (after instanceof Text) after.data = after.data.trimStart();
}

/**
 * Return whether what is between two nodes of a plain text is a paragraph.
 *
 * @param {Node | null} before
 * @param {Node | null} after
 */
const endsParagraph = (before, after) =>
  (!before || /\n\s*\n\s*$/.test(before.textContent ?? "")) && (!after || /^\s*\n\s*\n/.test(after.textContent ?? ""));

/**
 * Keep what the sender of a plain message wrote, for editing it.
 *
 * @param {HTMLElement} message
 * @param {HTMLElement} body
 */
function keepSource(message, body) {
  if (message.querySelector("template[data-source]")) return;
  const source = document.createElement("template");
  source.dataset.source = "";
  source.content.append(body.textContent ?? "");
  body.after(source);
}

/**
 * @param {HTMLElement} quote
 * @param {HTMLElement} link
 */
function mark(quote, link) {
  quote.classList.add("message-reference");
  quote.dataset.reference = nameOf(link) ?? "";
  quote.dataset.referenceText = link.textContent ?? "";
  return quote;
}

/** @param {HTMLElement[]} elements */
async function showQuotes(elements) {
  for (const element of elements) observer.unobserve(element);
  const names = new Set(elements.map(({ dataset }) => dataset.reference ?? ""));
  const missing = [...names].filter((name) => performance.now() - (quotes.get(name)?.at ?? -Infinity) > KEPT_MS);
  for (let start = 0; start < missing.length; start += MAX_REQUESTED)
    request(missing.slice(start, start + MAX_REQUESTED));
  await Promise.all(elements.map(showQuote));
}

/** @param {HTMLElement} quote */
async function showQuote(quote) {
  const name = quote.dataset.reference ?? "";
  try {
    const html = await quotes.get(name)?.html;
    if (html) quote.replaceChildren(...parseHtml(html).childNodes);
    else quote.textContent = "This message was deleted, or you do not have access to it.";
  } catch {
    // The link remains, and the next reference tries again.
    quotes.delete(name);
  }
}

/** @param {string[]} names */
function request(names) {
  if (quotes.size > MAX_KEPT) quotes.clear();
  const loading = fetchQuotes(names);
  for (const name of names)
    quotes.set(name, { html: loading.then((loaded) => loaded[name] ?? null), at: performance.now() });
}

/**
 * @param {string[]} names
 * @returns {Promise<Record<string, string | null>>}
 */
async function fetchQuotes(names) {
  const response = await fetch(`/quotes?${names.map((name) => `message=${name}`).join("&")}`);
  if (!response.ok) throw new Error(response.statusText);
  return (await response.json()).quotes;
}

/**
 * Return the conversation and the number of the message that a link of this installation leads to, as `general/7`.
 *
 * @param {HTMLElement} link
 */
function nameOf(link) {
  if (!(link instanceof HTMLAnchorElement) || link.origin !== location.origin || link.search || link.hash) return null;
  const match = MESSAGE_PATH.exec(link.pathname);
  return match && `${match[1]}/${match[2]}`;
}
