// The bar above a composer that shows which message the next one replies to. It survives a reload, as the draft does.

import { closest, find } from "./dom.js";

/** @import { FallbackStorage } from "./core/fallback_storage.js" */
/** @import { ReplyQuotes } from "./reply_quotes.js" */

export class ReplyBar {
  #element;
  #quote;
  #text;
  #storage;
  #key;
  #quotes;

  /**
   * @param {HTMLFormElement} form the composer
   * @param {FallbackStorage} storage
   * @param {string} key of the reply in the storage
   * @param {ReplyQuotes} quotes
   */
  constructor(form, storage, key, quotes) {
    this.#element = find(form, "[data-reply-bar]");
    this.#quote = find(this.#element, "[data-reply-quote]");
    this.#text = find(form, "textarea");
    this.#storage = storage;
    this.#key = key;
    this.#quotes = quotes;
    form.addEventListener("click", ({ target }) => closest(target, "[data-cancel-reply]") && this.#cancel());
    form.addEventListener("keydown", (event) => this.#onKeydown(event));
    const seq = Number(storage.get(key) ?? NaN);
    if (seq) this.#show(seq);
  }

  /** The number of the message that is replied to. */
  get seq() {
    const { quote } = this.#quote.dataset;
    return quote === undefined ? undefined : Number(quote);
  }

  /**
   * Reply to a message with what is written next.
   *
   * @param {number} seq
   */
  start(seq) {
    this.#storage.set(this.#key, String(seq));
    this.#show(seq);
    this.#text.focus();
  }

  clear() {
    this.#storage.delete(this.#key);
    this.#element.hidden = true;
    delete this.#quote.dataset.quote;
    this.#quote.replaceChildren();
  }

  /** @param {number} seq */
  #show(seq) {
    this.#quote.dataset.quote = String(seq);
    delete this.#quote.dataset.quoteVersion;
    this.#element.hidden = false;
    this.#quotes.show(this.#quote);
  }

  #cancel() {
    this.clear();
    this.#text.focus();
  }

  /** @param {KeyboardEvent} event */
  #onKeydown(event) {
    if (event.key !== "Escape" || event.defaultPrevented || this.seq === undefined) return;
    event.preventDefault();
    this.#cancel();
  }
}
