// What the page knows of the messages that replies quote.

/**
 * @typedef {object} Quote
 * @property {number} version of the message
 * @property {string} sender
 * @property {string | null} text null if the message was deleted, or removed by a cleanup
 */

/** The latest version that has arrived wins: a quote may be requested, and the message change before the response. */
export class QuotedMessages {
  /** @type {Map<number, Quote>} by the number of the message */
  #known = new Map();

  /** @param {number} seq */
  find(seq) {
    return this.#known.get(seq) ?? null;
  }

  /**
   * Returns whether this is news.
   *
   * @param {number} seq
   * @param {Quote} quote
   */
  learn(seq, quote) {
    const known = this.#known.get(seq);
    if (known && known.version >= quote.version) return false;
    this.#known.set(seq, quote);
    return true;
  }

  /**
   * The same version is shown formatted now. Returns whether this is news.
   *
   * @param {number} seq
   * @param {Quote} quote
   */
  correct(seq, quote) {
    const known = this.#known.get(seq);
    if (known?.version !== quote.version || known.text === quote.text) return false;
    this.#known.set(seq, quote);
    return true;
  }

  /**
   * The message does not exist any more.
   *
   * @param {number} seq
   */
  learnRemoval(seq) {
    return this.learn(seq, { version: Infinity, sender: "", text: null });
  }

  /**
   * A cleanup has removed the messages up to this number. Returns those of which a quote is known.
   *
   * @param {number} floor
   */
  removeUpTo(floor) {
    return [...this.#known.keys()].filter((seq) => seq <= floor && this.learnRemoval(seq));
  }

  /** After a backup was restored, numbers and versions may belong to other messages. */
  clear() {
    this.#known.clear();
  }
}

export const MAX_QUOTE_CHARS = 280;

/**
 * Return a text in one line of limited length, as the server does (chatapp/presentation/quotes.py).
 *
 * @param {string} text
 */
export function shortenQuote(text) {
  const line = text.split(/\s+/).filter(Boolean).join(" ");
  const characters = [...line];
  return characters.length <= MAX_QUOTE_CHARS ? line : `${characters.slice(0, MAX_QUOTE_CHARS - 1).join("")}…`;
}
