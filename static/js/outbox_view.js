// Shows the messages in the outbox below the others, with their state: sending or rejected.

import { isFewEmoji } from "./core/emoji.js";
import { OutboxFiles } from "./outbox_files.js";
import { cloneTemplate, closest, find, findAll } from "./dom.js";
import { messageOf } from "./message_element.js";
import { messagePath } from "./paths.js";

/** @import { Outbox, OutboxEntry } from "./core/outbox.js" */
/** @import { Uploads } from "./core/uploads.js" */
/** @import { MessageList } from "./message_list.js" */
/** @import { Message, PlainMessage } from "./protocol.js" */

export class OutboxView {
  #list;
  #outbox;
  #files;
  #conversation;
  #thread;

  /**
   * @param {MessageList} list
   * @param {Outbox} outbox
   * @param {Uploads} uploads
   * @param {{conversation: string, thread: number | null}} place
   * @param {AbortSignal} signal
   */
  constructor(list, outbox, uploads, { conversation, thread }, signal) {
    this.#list = list;
    this.#outbox = outbox;
    this.#files = new OutboxFiles(list.element, uploads, signal);
    this.#conversation = conversation;
    this.#thread = thread;

    outbox.on("change", () => this.render(), { signal });
    outbox.on("acknowledged", ({ entry, message }) => this.#onAcknowledged(entry, message), { signal });
    list.element.addEventListener("click", ({ target }) => this.#onClick(target));
    this.render();
  }

  render() {
    // The end of the list is not the end of the conversation.
    if (this.#list.hasNewer) return;
    // A reply whose thread was removed is sent to the room, but stays where it was written.
    const entries = this.#outbox.entries.filter(
      (entry) => this.#isHere(entry) || this.#list.findUnstored(entry.client_id),
    );
    for (const entry of entries) this.#renderEntry(entry);
    const clientIds = new Set(entries.map((entry) => entry.client_id));
    for (const message of findAll(this.#list.element, ".message:not([data-seq], [data-pending])")) {
      if (!clientIds.has(message.dataset.clientId ?? "")) this.#onRemoved(message);
    }
  }

  /** @param {OutboxEntry} entry */
  #isHere({ conversation, thread }) {
    return conversation === this.#conversation && (thread ?? null) === this.#thread;
  }

  /** @param {OutboxEntry} entry */
  #renderEntry(entry) {
    if (this.#list.isAccepted(entry.client_id)) return;
    const message = this.#list.findUnstored(entry.client_id) ?? this.#append(entry);
    const state = entry.error ? "failed" : "sending";
    if (message.dataset.state === state) return;
    message.dataset.state = state;
    const status = find(message, "[data-status]");
    status.replaceChildren(cloneTemplate(`${state}-status`));
    if (entry.reply_to === undefined) message.querySelector("[data-quote]")?.remove();
    if (entry.error) find(status, "[data-reason]").textContent = `Not sent: ${entry.error}`;
  }

  /** @param {OutboxEntry} entry */
  #append({ conversation, client_id, content, created_at, reply_to, files = [] }) {
    const message = find(cloneTemplate("outbox-message"), ".message");
    const created = new Date(created_at).toISOString();
    message.dataset.clientId = client_id;
    message.dataset.created = created;
    find(message, ".message-time", HTMLTimeElement).dateTime = created;
    find(message, ".message-body").textContent = content;
    if (reply_to !== undefined) find(message, ".message-content").before(createQuote(conversation, reply_to));
    message.classList.toggle("is-few-emoji", isFewEmoji(content));
    if (files.length > 0) this.#files.show(message, files);
    this.#list.element.append(message);
    return message;
  }

  /**
   * The entry was discarded after a rejection, or another tab has sent it and the message has not arrived here yet.
   *
   * @param {HTMLElement} message
   */
  #onRemoved(message) {
    if (message.dataset.state === "failed") {
      message.remove();
    } else {
      message.dataset.state = "sent";
      find(message, "[data-status]").replaceChildren();
    }
  }

  /**
   * @param {OutboxEntry} entry
   * @param {Message | PlainMessage} message
   */
  #onAcknowledged(entry, message) {
    const isElsewhere = !this.#isHere(entry);
    if (isElsewhere && this.#list.isAccepted(entry.client_id)) return;
    // The message was sent before, and has been purged since.
    const isPurged = message.deleted_at !== null && message.id === null;
    if (isPurged || isElsewhere) this.#list.findUnstored(entry.client_id)?.remove();
    else if ("html" in message) this.#list.show(message);
    // Otherwise the page shows it when it receives it as an event; usually it has done so already.
  }

  /** @param {EventTarget | null} target */
  #onClick(target) {
    const clientId = messageOf(target)?.dataset.clientId;
    if (!clientId) return;
    if (closest(target, "[data-retry]")) this.#outbox.retry(clientId);
    if (closest(target, "[data-discard]")) this.#outbox.remove(clientId);
  }
}

/**
 * @param {string} conversation
 * @param {number} seq
 */
function createQuote(conversation, seq) {
  const quote = find(cloneTemplate("reply-quote"), "a", HTMLAnchorElement);
  quote.dataset.quote = String(seq);
  quote.href = messagePath(conversation, seq);
  return quote;
}
