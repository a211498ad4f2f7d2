// Loads the messages of other conversations that answers refer to. Each reader sees only those that they may read.

import { parseHtml } from "./dom.js";

const REFERENCES = "[data-answer] blockquote a[href]";
const MESSAGE_PATH = /^\/conversations\/[a-z]+(?:_\d+)?\/messages\/\d+$/;

/** @type {Map<string, Promise<string | null>>} the HTML of quotes by path; null if this person may not read it */
const quotes = new Map();

const observer = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) if (isIntersecting) showQuote(/** @type {HTMLElement} */ (target));
});

/**
 * Replace the references in an answer by what they refer to, as soon as they are visible.
 *
 * @param {HTMLElement} message
 */
export function loadQuotes(message) {
  for (const link of message.querySelectorAll(REFERENCES)) {
    const quote = link.closest("blockquote");
    // A quote with a text of its own has the link for its source.
    if (quote && link.textContent === quote.textContent?.trim() && pathOf(quote)) observer.observe(quote);
  }
}

/** @param {HTMLElement} quote */
async function showQuote(quote) {
  observer.unobserve(quote);
  const path = pathOf(quote);
  if (!path) return;
  if (!quotes.has(path)) quotes.set(path, fetchQuote(path));
  try {
    const html = await quotes.get(path);
    if (html) quote.replaceChildren(...parseHtml(html).childNodes);
    else quote.textContent = "This message was deleted, or you do not have access to it.";
  } catch {
    // The link remains, and the next answer tries again.
    quotes.delete(path);
  }
}

/** @param {string} path */
async function fetchQuote(path) {
  const response = await fetch(`${path}/quote`);
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(response.statusText);
  return response.text();
}

/** @param {HTMLElement} quote */
function pathOf(quote) {
  const path = quote.querySelector("a")?.getAttribute("href") ?? "";
  return MESSAGE_PATH.test(path) ? path : null;
}
