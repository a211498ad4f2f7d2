import { localKeep } from "./storage.js";
import { uuid } from "./uuid.js";

/**
 * @typedef {object} Entry a message that the server has not acknowledged
 * @property {string} conversation
 * @property {string} content
 * @property {string} client_id
 * @property {number} created_at milliseconds; no two entries of a browser share one, so it is their order too
 * @property {string} [error] why the server refused it for good
 */

/**
 * What this account has written and the server has not acknowledged. It survives a reload and a restart, and is
 * shared by the tabs: each entry has a key of its own, so that they never overwrite one another's.
 *
 * Dispatches `change` (whatever changed, in any tab) and `acknowledged` with the entry and the stored message.
 */
export class Outbox extends EventTarget {
  #prefix;

  constructor(userId) {
    super();
    this.#prefix = `chatapp:outbox:${userId}:`;
    window.addEventListener("storage", ({ key }) => {
      if (key === null || key.startsWith(this.#prefix)) this.#changed({ byOtherTab: true });
    });
  }

  /** @returns {Entry[]} in the order in which they were written */
  get entries() {
    return localKeep
      .keys(this.#prefix)
      .map((key) => this.#read(key))
      .filter((entry) => entry !== null)
      .sort((one, other) => one.created_at - other.created_at);
  }

  get waiting() {
    return this.entries.filter((entry) => !entry.error);
  }

  add(conversation, content) {
    const latest = this.entries.at(-1)?.created_at ?? 0;
    const entry = { conversation, content, client_id: uuid(), created_at: Math.max(Date.now(), latest + 1) };
    this.#write(entry);
    this.#changed();
  }

  acknowledge(entry, message) {
    this.dispatchEvent(new CustomEvent("acknowledged", { detail: { entry, message } }));
    this.remove(entry.client_id);
  }

  /** Keep the entry, but try it no more until the person says so. */
  fail(entry, error) {
    // Another tab may have brought it through, or removed it, in the meantime.
    if (!this.#find(entry.client_id)) return;
    this.#write({ ...entry, error });
    this.#changed();
  }

  retry(clientId) {
    const entry = this.#find(clientId);
    if (!entry) return;
    this.#write({ ...entry, error: undefined });
    this.#changed();
  }

  remove(clientId) {
    localKeep.remove(this.#prefix + clientId);
    this.#changed();
  }

  #find(clientId) {
    return this.#read(this.#prefix + clientId);
  }

  #read(key) {
    try {
      return JSON.parse(localKeep.read(key));
    } catch {
      return null;
    }
  }

  #write(entry) {
    localKeep.write(this.#prefix + entry.client_id, JSON.stringify(entry));
  }

  #changed({ byOtherTab = false } = {}) {
    this.dispatchEvent(new CustomEvent("change", { detail: { byOtherTab } }));
  }
}
