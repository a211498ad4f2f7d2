import { parseHtml } from "./html.js";

/**
 * The messages on the page: one element for each `seq`, in the order of `seq`, and below them those that the server
 * has not acknowledged yet (without a `data-seq`).
 *
 * The element dispatches `message:arrived` for each message that is newer than all before, `message:prepended` when
 * older ones were put above, and `message:replaced` with `old` and `fresh` for one that is drawn anew, while both are on
 * the page: what is kept can be taken over then.
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
    if (message.pending) return this.#drawPending(message);
    this.#findUnnumbered(message.sender?.id, message.client_id)?.remove();
    const drawn = elementOf(message.seq);
    if (drawn) {
      if (Number(drawn.dataset.version) < message.version) this.#replace(drawn, drawing(message));
    } else if (!this.#liesAbove(message.seq)) {
      this.#insert(drawing(message));
    }
  }

  /** Show only these messages, which are the conversation's last page, and what still waits for its number. */
  replaceAll(messages, hasOlder) {
    const known = new Set(messages.map((message) => message.client_id));
    const pending = [...this.element.querySelectorAll(".message[data-pending]")];
    const waiting = pending.filter((each) => !known.has(each.dataset.clientId));
    const fresh = messages.map(drawing);
    for (const message of fresh) {
      const drawn = elementOf(message.dataset.seq);
      // After a restored backup the number may be another message's.
      if (drawn?.dataset.clientId === message.dataset.clientId) this.#replace(drawn, message);
    }
    const shown = new Set([...fresh, ...waiting]);
    for (const each of [...this.element.children]) if (!shown.has(each)) each.remove();
    let above = null;
    for (const message of fresh) {
      // What has taken its place already is not moved: the focus may be in it.
      const isPlaced = message.parentNode === this.element;
      if (!isPlaced && above) above.after(message);
      else if (!isPlaced) this.element.prepend(message);
      above = message;
    }
    this.element.dataset.older = String(hasOlder);
  }

  /** Put a page of older messages, as the server sent it, above what is there. */
  prepend(html) {
    const page = parseHtml(html).querySelector("[data-messages]");
    const unknown = [...page.children].filter((message) => !elementOf(message.dataset.seq));
    this.element.prepend(...unknown);
    this.element.dataset.older = page.dataset.older;
    this.element.dispatchEvent(new Event("message:prepended"));
  }

  removeUpTo(floor) {
    for (const message of this.element.querySelectorAll(".message[data-seq]")) {
      if (seqOf(message) > floor) break;
      message.remove();
    }
  }

  /** Say under a message that waited why it will not be saved. */
  refuse(senderId, clientId, reason) {
    const message = this.#findUnnumbered(senderId, clientId);
    if (!message) return;
    const note = document.createElement("span");
    note.className = "message-failed";
    note.textContent = `Not saved: ${reason}`;
    message.dataset.state = "failed";
    message.querySelector("[data-status]").replaceChildren(note);
  }

  /** The element of the message with this number, if it is drawn. */
  find(seq) {
    return elementOf(seq);
  }

  /** The element of one's own message that waits for its acknowledgement. */
  findOutgoing(clientId) {
    return this.#findUnnumbered(this.#userId, clientId);
  }

  /** Whether the server has one's own message, be it that its acknowledgement got lost. */
  hasStored(clientId) {
    return this.#find(this.#userId, clientId, ":is([data-seq], [data-pending])") !== null;
  }

  /**
   * Draw a message that waits for its number, below all others, or in the place where it waited to be sent; the same
   * one again changes nothing.
   */
  #drawPending(message) {
    if (this.#find(message.sender.id, message.client_id, ":is([data-seq], [data-pending])")) return;
    const outgoing = this.#findUnnumbered(message.sender.id, message.client_id);
    const element = drawing(message);
    if (outgoing) outgoing.replaceWith(element);
    else this.element.append(element);
    this.element.dispatchEvent(new CustomEvent("message:arrived", { detail: element }));
  }

  #replace(old, fresh) {
    old.before(fresh);
    this.element.dispatchEvent(new CustomEvent("message:replaced", { detail: { old, fresh } }));
    old.remove();
  }

  #findUnnumbered(senderId, clientId) {
    return this.#find(senderId, clientId, ":not([data-seq])");
  }

  #find(senderId, clientId, state) {
    const key = `[data-sender-id="${senderId}"][data-client-id="${CSS.escape(clientId ?? "")}"]`;
    return this.element.querySelector(`.message${state}${key}`);
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
