// The list of messages on the page, in the order of `seq`. Messages without a number follow at the end.

import { find, findAll, parseHtml } from "./dom.js";
import { findMessage, findMessages, seqOf } from "./message_element.js";

/** @import { Message, PendingMessage, StoredMessage } from "./protocol.js" */

const ACCEPTED = ":is([data-seq], [data-pending])";
const UNNUMBERED = ":not([data-seq])";

/**
 * There is one element for each `seq`. Messages that are pending on the server or not acknowledged yet have none; they
 * are identified by sender and `client_id`.
 *
 * The element dispatches `message:arrived`, `message:prepended` and `message:replaced` (dom_events.d.ts).
 */
export class MessageList {
  #userId;

  /**
   * @param {HTMLElement} element
   * @param {number} userId
   */
  constructor(element, userId) {
    this.element = element;
    this.#userId = userId;
  }

  /** @returns {HTMLElement | null} */
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

  /** @param {number} seq */
  find(seq) {
    return findMessage(this.element, seq);
  }

  /**
   * Add a message, or replace an older version of it. The same version again changes nothing.
   *
   * @param {Message} message
   */
  show(message) {
    if (message.pending) return this.#showPending(message);
    this.#findBySender(message.sender?.id, message.client_id, UNNUMBERED)?.remove();
    const shown = findMessage(this.element, message.seq);
    if (shown) {
      if (Number(shown.dataset.version) < message.version) this.#replace(shown, createElement(message));
    } else if (!this.#isAboveLoaded(message.seq)) {
      this.#insert(createElement(message));
    }
  }

  /**
   * Show only these messages, the last page of the conversation, and pending ones that are not among them.
   *
   * @param {StoredMessage[]} messages
   * @param {boolean} hasOlder
   */
  replaceAll(messages, hasOlder) {
    const clientIds = new Set(messages.map((message) => message.client_id));
    const pending = findAll(this.element, ".message[data-pending]").filter(
      (element) => !clientIds.has(element.dataset.clientId ?? ""),
    );
    const newElements = messages.map(createElement);
    for (const newElement of newElements) {
      const shown = findMessage(this.element, seqOf(newElement));
      // After a restored backup the number may belong to another message.
      if (shown && shown.dataset.clientId === newElement.dataset.clientId) this.#replace(shown, newElement);
    }
    const kept = new Set([...newElements, ...pending]);
    for (const element of findAll(this.element, ":scope > *")) if (!kept.has(element)) element.remove();
    let above = null;
    for (const element of newElements) {
      // An element that has replaced an older one stays in its place: it may have the focus.
      const isPlaced = element.parentNode === this.element;
      if (!isPlaced && above) above.after(element);
      else if (!isPlaced) this.element.prepend(element);
      above = element;
    }
    this.element.dataset.older = String(hasOlder);
  }

  /**
   * Add a page of older messages above the others.
   *
   * @param {string} html as the server rendered it
   */
  prepend(html) {
    const page = find(parseHtml(html), "[data-messages]");
    this.element.prepend(...findMessages(page).filter((message) => !findMessage(this.element, seqOf(message))));
    this.element.dataset.older = page.dataset.older;
    this.element.dispatchEvent(new Event("message:prepended"));
  }

  /**
   * Remove the messages that the server has purged.
   *
   * @param {number} floor
   */
  removeUpTo(floor) {
    for (const message of findMessages(this.element)) {
      if (seqOf(message) > floor) break;
      message.remove();
    }
  }

  /**
   * Show below a pending message why it will not be stored.
   *
   * @param {number} senderId
   * @param {string} clientId
   * @param {string} reason
   */
  rejectPending(senderId, clientId, reason) {
    const message = this.#findBySender(senderId, clientId, UNNUMBERED);
    if (!message) return;
    const note = document.createElement("span");
    note.className = "message-failed";
    note.textContent = `Not saved: ${reason}`;
    message.dataset.state = "failed";
    find(message, "[data-status]").replaceChildren(note);
  }

  /**
   * Return the element of this person's message that is not stored yet.
   *
   * @param {string} clientId
   */
  findUnstored(clientId) {
    return this.#findBySender(this.#userId, clientId, UNNUMBERED);
  }

  /**
   * Return whether the server has this person's message, even if its acknowledgement was lost.
   *
   * @param {string} clientId
   */
  isAccepted(clientId) {
    return this.#findBySender(this.#userId, clientId, ACCEPTED) !== null;
  }

  /**
   * Add a pending message below all others, or in the place of the unacknowledged one.
   *
   * @param {PendingMessage} message
   */
  #showPending(message) {
    if (this.#findBySender(message.sender?.id, message.client_id, ACCEPTED)) return;
    const unacknowledged = this.#findBySender(message.sender?.id, message.client_id, UNNUMBERED);
    const element = createElement(message);
    if (unacknowledged) unacknowledged.replaceWith(element);
    else this.element.append(element);
    this.element.dispatchEvent(new CustomEvent("message:arrived", { detail: element }));
  }

  /**
   * @param {HTMLElement} oldElement
   * @param {HTMLElement} newElement
   */
  #replace(oldElement, newElement) {
    oldElement.before(newElement);
    this.element.dispatchEvent(new CustomEvent("message:replaced", { detail: { oldElement, newElement } }));
    oldElement.remove();
  }

  /**
   * @param {number | undefined} senderId
   * @param {string | null} clientId
   * @param {string} state a selector
   * @returns {HTMLElement | null}
   */
  #findBySender(senderId, clientId, state) {
    const key = `[data-sender-id="${senderId}"][data-client-id="${CSS.escape(clientId ?? "")}"]`;
    return this.element.querySelector(`.message${state}${key}`);
  }

  /**
   * Return whether a message is among the older ones that are not loaded. Shown here, it would hide the gap below it.
   *
   * @param {number} seq
   */
  #isAboveLoaded(seq) {
    return this.hasOlder && this.oldest !== null && seq < seqOf(this.oldest);
  }

  /** @param {HTMLElement} message */
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

/** @param {Message} message */
const createElement = (message) => find(parseHtml(message.html), ".message");
