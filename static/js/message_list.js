// The list of messages on the page, in the order of `seq`. Messages without a number follow at the end.

import { WithheldMessages } from "./core/withheld_messages.js";
import { find, findAll, parseHtml } from "./dom.js";
import { findMessage, findMessages, seqOf } from "./message_element.js";

/** @import { FormattedMessage, Message, PendingMessage, StoredMessage } from "./protocol.js" */

const ACCEPTED = ":is([data-seq], [data-pending])";
const UNNUMBERED = ":not([data-seq])";

/**
 * There is one element for each `seq`. Messages that are pending on the server or not acknowledged yet have none; they
 * are identified by sender and `client_id`.
 *
 * The list is consecutive: where there are newer messages than those that are loaded, it withholds what arrives.
 *
 * The element dispatches `message:arrived`, `message:prepended`, `message:replacing`, `message:replaced`,
 * `message:withheld`, `message:received`, `messages:trimmed` and `messages:attached` (dom_events.d.ts).
 */
export class MessageList {
  #userId;
  #withheld;

  /**
   * @param {HTMLElement} element
   * @param {number} userId
   * @param {number} cursor the last event that the page was rendered with
   */
  constructor(element, userId, cursor) {
    this.element = element;
    this.#userId = userId;
    this.#withheld = new WithheldMessages(cursor);
  }

  /** @returns {HTMLElement | null} */
  get oldest() {
    return this.element.querySelector(".message[data-seq]");
  }

  /** @returns {HTMLElement | null} */
  get newest() {
    let last = this.element.lastElementChild;
    while (last && Number.isNaN(seqOf(last))) last = last.previousElementSibling;
    return /** @type {HTMLElement | null} */ (last);
  }

  /** Number of the last message of the conversation that the page knows, whether it is loaded or not. */
  get latestSeq() {
    const newestSeq = seqOf(this.newest);
    return this.hasNewer ? this.#withheld.latestSeq : newestSeq;
  }

  get hasOlder() {
    return this.element.dataset.older === "true";
  }

  /** Whether there are messages between the last one of the list and the latest ones. */
  get hasNewer() {
    return this.element.dataset.newer === "true";
  }

  /** The messages that are loaded, with what decides which are unread. */
  get entries() {
    return findMessages(this.element).map((element) => ({
      element,
      seq: seqOf(element),
      senderId: element.dataset.senderId ?? "",
    }));
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
    this.#dispatch("message:received", message);
    this.#findBySender(message.sender?.id, message.client_id, UNNUMBERED)?.remove();
    const shown = findMessage(this.element, message.seq);
    if (shown) {
      if (Number(shown.dataset.version) < message.version) this.#replace(shown, createElement(message));
    } else if (this.#isBelowLoaded(message.seq)) {
      if (this.#withheld.add(message)) this.element.dispatchEvent(new Event("message:withheld"));
    } else if (this.#isAboveLoaded(message.seq)) {
      this.#withheld.add(message);
    } else {
      this.#insert(createElement(message));
    }
  }

  /**
   * Show the formatted text of a message, unless the message has changed since.
   *
   * @param {FormattedMessage} formatted
   */
  showFormatted(formatted) {
    const { seq, version, html } = formatted;
    this.#withheld.format(formatted);
    const shown = findMessage(this.element, seq);
    if (shown && Number(shown.dataset.version) === version) this.#replace(shown, createElement({ html }));
  }

  /**
   * Load a page of older or newer messages and show it, with what has arrived meanwhile.
   *
   * @param {() => Promise<string>} fetchPage
   * @param {(html: string) => Promise<void>} showPage
   */
  async load(fetchPage, showPage) {
    await this.#withheld.during(fetchPage, showPage, (message) => this.show(message));
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
    this.element.dataset.newer = "false";
  }

  /**
   * Show only the messages of a page, and those that have no number yet.
   *
   * @param {string} html as the server rendered it
   */
  reload(html) {
    for (const element of findAll(this.element, ":scope > :is([data-seq], :not(.message))")) element.remove();
    this.prepend(html);
    this.element.dataset.newer = "false";
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
   * Add a page of newer messages below the others. If it reaches to the end of the conversation, new ones follow live.
   *
   * @param {string} html as the server rendered it
   */
  append(html) {
    const page = find(parseHtml(html), "[data-messages]");
    const { newest } = this;
    const added = findMessages(page).filter((message) => !findMessage(this.element, seqOf(message)));
    if (newest) newest.after(...added);
    else this.element.prepend(...added);
    this.element.dataset.newer = page.dataset.newer;
    if (!this.hasNewer) this.element.dispatchEvent(new Event("messages:attached"));
  }

  /**
   * Remove the messages that the server has purged.
   *
   * @param {number} floor
   */
  removeUpTo(floor) {
    this.#dispatch("messages:trimmed", floor);
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
    // It is requested again when the list reaches to the end.
    if (this.hasNewer || this.#findBySender(message.sender?.id, message.client_id, ACCEPTED)) return;
    const unacknowledged = this.#findBySender(message.sender?.id, message.client_id, UNNUMBERED);
    const element = createElement(message);
    if (unacknowledged) unacknowledged.replaceWith(element);
    else this.element.append(element);
    this.#dispatch("message:arrived", element);
  }

  /**
   * @param {HTMLElement} oldElement
   * @param {HTMLElement} newElement
   */
  #replace(oldElement, newElement) {
    this.#dispatch("message:replacing", oldElement);
    oldElement.before(newElement);
    this.#dispatch("message:replaced", { oldElement, newElement });
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

  /**
   * Return whether a message is among the newer ones that are not loaded.
   *
   * @param {number} seq
   */
  #isBelowLoaded(seq) {
    return this.hasNewer && !(seq <= seqOf(this.newest));
  }

  /**
   * Dispatch an event on the list that also reaches what is around it: a page of a thread has two lists.
   *
   * @param {string} name
   * @param {unknown} detail
   */
  #dispatch(name, detail) {
    this.element.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
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
    if (isNewest) this.#dispatch("message:arrived", message);
  }
}

/** @param {{html: string}} message */
const createElement = (message) => find(parseHtml(message.html), ".message");
