import { parseHtml } from "./html.js";

/**
 * The messages on the page: one element for each `seq`, in the order of `seq`, and below them those that the server
 * has not acknowledged yet (without a `data-seq`).
 *
 * The element dispatches `message:arrived` for each message that is newer than all before.
 */
export class MessageList {
  #userId;

  constructor(element, userId) {
    this.element = element;
    this.#userId = userId;
  }

  get oldest() {
    return this.element.querySelector(".message[data-seq]");
  }

  get newestSeq() {
    let last = this.element.lastElementChild;
    while (last && Number.isNaN(seqOf(last))) last = last.previousElementSibling;
    return seqOf(last);
  }

  get hasOlder() {
    return this.element.dataset.older === "true";
  }

  /** Draw a message, or bring the drawn one up to date. To draw the same again changes nothing. */
  draw(message) {
    const drawn = elementOf(message.seq);
    if (drawn) {
      if (Number(drawn.dataset.version) < message.version) drawn.replaceWith(drawing(message));
    } else if (!this.#liesAbove(message.seq)) {
      if (message.sender?.id === this.#userId) this.findOutgoing(message.client_id)?.remove();
      this.#insert(drawing(message));
    }
  }

  /** Show only these messages, which are the conversation's last page. */
  replaceAll(messages, hasOlder) {
    this.element.replaceChildren(...messages.map(drawing));
    this.element.dataset.older = String(hasOlder);
  }

  /** Put a page of older messages, as the server sent it, above what is there. */
  prepend(html) {
    const page = parseHtml(html).querySelector("[data-messages]");
    const unknown = [...page.children].filter((message) => !elementOf(message.dataset.seq));
    this.element.prepend(...unknown);
    this.element.dataset.older = page.dataset.older;
  }

  removeUpTo(floor) {
    for (const message of this.element.querySelectorAll(".message[data-seq]")) {
      if (seqOf(message) > floor) break;
      message.remove();
    }
  }

  /** The element of one's own message that waits for its acknowledgement. */
  findOutgoing(clientId) {
    return this.#findOwn(clientId, ":not([data-seq])");
  }

  /** Whether one's own message is drawn as the server stored it, be it that its acknowledgement got lost. */
  hasStored(clientId) {
    return this.#findOwn(clientId, "[data-seq]") !== null;
  }

  #findOwn(clientId, state) {
    const own = `[data-sender-id="${this.#userId}"][data-client-id="${CSS.escape(clientId)}"]`;
    return this.element.querySelector(`.message${state}${own}`);
  }

  /** Whether the message belongs to the older ones that are not loaded: drawn here, it would hide the gap below it. */
  #liesAbove(seq) {
    return this.hasOlder && this.oldest !== null && seq < seqOf(this.oldest);
  }

  #insert(message) {
    const seq = seqOf(message);
    let before = this.element.lastElementChild;
    let isNewest = true;
    while (before && !(seqOf(before) < seq)) {
      if (seqOf(before) > seq) isNewest = false;
      before = before.previousElementSibling;
    }
    if (before) before.after(message);
    else this.element.prepend(message);
    if (isNewest) this.element.dispatchEvent(new CustomEvent("message:arrived", { detail: message }));
  }
}

/** NaN, which is neither above nor below any number, for what has no `seq`: the lines between, the unsent. */
const seqOf = (element) => Number(element?.dataset.seq);

const elementOf = (seq) => document.getElementById(`message-${seq}`);

const drawing = (message) => parseHtml(message.html).firstElementChild;
