// Quotes of the messages that others reply to. The server has filled in those of the page (chatapp/presentation/
// reply_quotes.py); here they are filled into messages that arrive later, and follow the original.

import { QuotedMessages, shortenQuote } from "./core/quoted_messages.js";
import { closest, find, findAll, parseHtml } from "./dom.js";
import { seqOf } from "./message_element.js";

/** @import { Quote } from "./core/quoted_messages.js" */
/** @import { Timeline } from "./core/timeline.js" */
/** @import { MessageList } from "./message_list.js" */

/** The server accepts as many in one request. */
const MAX_REQUESTED = 50;

/** A quote is the element with the number of its message in `data-quote`, in the list or above the composer. */
export class ReplyQuotes {
  #root;
  #messages;
  #conversation;
  #known = new QuotedMessages();
  /** @type {Set<number>} */
  #missing = new Set();
  #observer;

  /**
   * @param {HTMLElement} root
   * @param {HTMLElement} area what is around all messages
   * @param {Pick<MessageList, "find">} messages
   * @param {string} conversation
   */
  constructor(root, area, messages, conversation) {
    this.#root = root;
    this.#messages = messages;
    this.#conversation = conversation;
    this.#observer = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (isIntersecting) this.#request(/** @type {HTMLElement} */ (target));
      }
    });
    area.addEventListener("message:received", ({ detail }) => this.#onReceived(detail.seq, detail));
    area.addEventListener("message:replaced", ({ detail }) => {
      const seq = seqOf(detail.newElement);
      if (this.#known.find(seq) && this.#known.correct(seq, quoteOf(detail.newElement))) this.#renderAll(seq);
    });
    area.addEventListener("messages:trimmed", ({ detail }) => {
      for (const seq of this.#known.removeUpTo(detail)) this.#renderAll(seq);
    });
    area.addEventListener("click", (event) => this.#onClick(event));
  }

  /** @param {Timeline} timeline */
  follow(timeline) {
    timeline.on("reset", () => {
      this.#known.clear();
      for (const quote of this.#findAll()) quote.removeAttribute("data-quote-version");
    });
    // Also what could not be loaded while the connection was lost.
    timeline.on("current", () => {
      for (const quote of this.#findAll()) this.show(quote);
    });
  }

  /**
   * Show the quotes of a message that was added to the list.
   *
   * @param {HTMLElement} message
   */
  prepare(message) {
    for (const quote of findAll(message, "[data-quote]")) this.show(quote);
  }

  /**
   * Show what a quote quotes, now or when it is known.
   *
   * @param {HTMLElement} quote
   */
  show(quote) {
    const seq = Number(quote.dataset.quote);
    const { quoteVersion } = quote.dataset;
    if (quoteVersion !== undefined) this.#known.learn(seq, readQuote(quote, Number(quoteVersion)));
    const original = this.#messages.find(seq);
    if (original) this.#known.learn(seq, quoteOf(original));
    const known = this.#known.find(seq);
    if (known) renderQuote(quote, known);
    else this.#observer.observe(quote);
  }

  /** @param {string} [selector] */
  #findAll(selector = "[data-quote]") {
    return findAll(this.#root, selector);
  }

  /** @param {number} seq */
  #renderAll(seq) {
    const known = this.#known.find(seq);
    if (known) for (const quote of this.#findAll(`[data-quote="${seq}"]`)) renderQuote(quote, known);
  }

  /**
   * @param {number} seq
   * @param {{html: string}} message
   */
  #onReceived(seq, message) {
    if (this.#known.find(seq) === null && this.#findAll(`[data-quote="${seq}"]`).length === 0) return;
    if (this.#known.learn(seq, quoteOf(find(parseHtml(message.html), ".message")))) this.#renderAll(seq);
  }

  /** @param {HTMLElement} quote */
  #request(quote) {
    this.#observer.unobserve(quote);
    if (this.#missing.size === 0) setTimeout(() => this.#load());
    this.#missing.add(Number(quote.dataset.quote));
  }

  async #load() {
    const seqs = [...this.#missing].slice(0, MAX_REQUESTED);
    for (const seq of seqs) this.#missing.delete(seq);
    if (this.#missing.size > 0) setTimeout(() => this.#load());
    const query = seqs.map((seq) => `seq=${seq}`).join("&");
    const response = await fetch(`/conversations/${this.#conversation}/quotes?${query}`).catch(() => null);
    if (!response?.ok) return;
    /** @type {{quotes: (Quote & {seq: number})[]}} */
    const { quotes } = await response.json();
    for (const { seq, ...quote } of quotes) this.#known.learn(seq, quote);
    for (const seq of seqs) {
      if (!this.#known.find(seq)) this.#known.learnRemoval(seq);
      this.#renderAll(seq);
    }
  }

  /** @param {MouseEvent} event */
  #onClick(event) {
    const quote = closest(event.target, "a[data-quote]");
    const isOtherWindow = event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0;
    if (!quote || isOtherWindow) return;
    const original = this.#messages.find(Number(quote.dataset.quote));
    if (!original) return;
    event.preventDefault();
    // Marks the message, and scrolls to it. Back leads to the page before this one.
    location.replace(`#${original.id}`);
    original.focus({ preventScroll: true });
  }
}

/**
 * @param {HTMLElement} quote
 * @param {number} version
 * @returns {Quote}
 */
function readQuote(quote, version) {
  const sender = quote.querySelector(".reply-quote-sender")?.textContent ?? null;
  const text = quote.querySelector(".reply-quote-text")?.textContent ?? "";
  return { version, sender: sender ?? "", text: sender === null ? null : text };
}

/**
 * @param {HTMLElement} message
 * @returns {Quote}
 */
function quoteOf(message) {
  return {
    version: Number(message.dataset.version),
    sender: message.querySelector(".message-sender")?.textContent?.trim() ?? "",
    text: message.matches(".is-deleted")
      ? null
      : [shortenQuote(textOf(message)), filesOf(message)].filter(Boolean).join(" · "),
  };
}

/**
 * Returns the name of the only file, or the number of files.
 *
 * @param {HTMLElement} message
 */
function filesOf(message) {
  const files = findAll(message, ".message-files [data-name], .message-files .file-name");
  return files.length > 1 ? `${files.length} files` : (files[0]?.dataset.name ?? files[0]?.textContent ?? "");
}

/** @param {HTMLElement} message */
function textOf(message) {
  const body = /** @type {HTMLElement} */ (find(message, ".message-body").cloneNode(true));
  for (const element of findAll(body, "button, .sr-only, .action-sender")) element.remove();
  // What the reader sees of another message is not part of this one.
  for (const quote of findAll(body, "[data-reference]")) quote.textContent = quote.dataset.referenceText ?? "";
  for (const emoji of findAll(body, "span[data-emoji]")) emoji.textContent = `:${emoji.dataset.emoji}:`;
  for (const spoiler of findAll(body, ".spoiler")) spoiler.textContent = "(spoiler)";
  // Blocks are separate words.
  for (const block of findAll(body, "p, li, td, th, h1, h2, h3, h4, h5, h6, pre, br")) block.append(" ");
  for (const line of findAll(body, "br")) line.replaceWith(" ");
  return body.textContent ?? "";
}

/**
 * @param {HTMLElement} element
 * @param {Quote} quote
 */
function renderQuote(element, { version, sender, text }) {
  element.dataset.quoteVersion = String(version);
  const line = document.createElement("span");
  line.className = "reply-quote-text";
  if (text === null) {
    line.textContent = "Deleted message";
    return element.replaceChildren(line);
  }
  line.dir = "auto";
  line.textContent = text;
  const label = document.createElement("span");
  label.className = "sr-only";
  label.textContent = "In reply to";
  const name = document.createElement("bdi");
  name.className = "reply-quote-sender";
  name.textContent = sender;
  element.replaceChildren(label, " ", name, " ", line);
}
