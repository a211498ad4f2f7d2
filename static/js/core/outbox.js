// Keeps sent messages in the browser until the server has acknowledged them.

import { TypedEventTarget } from "./typed_event_target.js";
import { randomUuid } from "./uuid.js";

/** @import { Message, MessagePlace, PlainMessage } from "../protocol.js" */
/** @import { FallbackStorage } from "./fallback_storage.js" */
/** @import { FileFacts } from "./uploads.js" */

/**
 * @typedef {MessagePlace & OutboxFields} OutboxEntry a message that the server has not acknowledged
 */

/**
 * @typedef {object} OutboxFields
 * @property {string} conversation
 * @property {string} content
 * @property {string} client_id
 * @property {number} created_at milliseconds; unique in a browser, so that it is also the order of the entries
 * @property {FileFacts[]} [files] which may still be uploaded
 * @property {string} [tab] the tab that uploads them
 * @property {string} [error] why the server rejected it
 */

/**
 * @typedef {object} OutboxEvents
 * @property {{isFromOtherTab: boolean}} change
 * @property {{entry: OutboxEntry, message: Message | PlainMessage}} acknowledged
 * @property {{entry: OutboxEntry}} retried
 */

/**
 * The unacknowledged messages of one account. They survive a reload and a restart of the browser, and are shared by its
 * tabs: each entry has a key of its own, so that tabs do not overwrite each other's entries.
 *
 * Emits `change` after each change, in any tab, `acknowledged` with the entry and the stored message, and `retried` with a
 * rejected entry before it is sent again.
 *
 * @extends {TypedEventTarget<OutboxEvents>}
 */
export class Outbox extends TypedEventTarget {
  #storage;
  #prefix;

  /**
   * @param {FallbackStorage} storage
   * @param {number} userId
   */
  constructor(storage, userId) {
    super();
    this.#storage = storage;
    this.#prefix = `chatapp:outbox:${userId}:`;
  }

  /** @returns {OutboxEntry[]} in the order in which they were added */
  get entries() {
    return this.#storage
      .keys(this.#prefix)
      .map((key) => this.#read(key))
      .filter((entry) => entry !== null)
      .sort((a, b) => a.created_at - b.created_at);
  }

  /** The entries to send: all but the rejected ones. */
  get queue() {
    return this.entries.filter((entry) => !entry.error);
  }

  /**
   * @param {string} conversation
   * @param {string} content
   * @param {MessagePlace & Pick<OutboxFields, "files" | "tab">} [place]
   */
  add(conversation, content, place = {}) {
    const latest = this.entries.at(-1)?.created_at ?? 0;
    const created_at = Math.max(Date.now(), latest + 1);
    const entry = { conversation, content, client_id: randomUuid(), created_at, ...place };
    this.#write(entry);
    this.#changed();
  }

  /**
   * @param {OutboxEntry} entry
   * @param {Message | PlainMessage} message
   */
  acknowledge(entry, message) {
    this.emit("acknowledged", { entry, message });
    this.remove(entry.client_id);
  }

  /**
   * Keep a rejected entry, and do not send it again until `retry`.
   *
   * @param {OutboxEntry} entry
   * @param {string} error
   */
  reject(entry, error) {
    // Another tab may have sent or removed it in the meantime.
    if (!this.#find(entry.client_id)) return;
    this.#write({ ...entry, error });
    this.#changed();
  }

  /** @param {string} clientId */
  retry(clientId) {
    const entry = this.#find(clientId);
    if (!entry) return;
    this.emit("retried", { entry });
    this.#write({ ...entry, error: undefined });
    this.#changed();
  }

  /** @param {string} clientId */
  remove(clientId) {
    this.#storage.delete(this.#prefix + clientId);
    this.#changed();
  }

  /**
   * Handle a `storage` event, which reports a change by another tab.
   *
   * @param {string | null} key null if the whole area was cleared
   */
  onStorageChange(key) {
    if (key === null || key.startsWith(this.#prefix)) this.#changed({ isFromOtherTab: true });
  }

  /** @param {string} clientId */
  #find(clientId) {
    return this.#read(this.#prefix + clientId);
  }

  /**
   * @param {string} key
   * @returns {OutboxEntry | null}
   */
  #read(key) {
    try {
      return JSON.parse(this.#storage.get(key) ?? "null");
    } catch {
      return null;
    }
  }

  /** @param {OutboxEntry} entry */
  #write(entry) {
    this.#storage.set(this.#prefix + entry.client_id, JSON.stringify(entry));
  }

  #changed({ isFromOtherTab = false } = {}) {
    this.emit("change", { isFromOtherTab });
  }
}
