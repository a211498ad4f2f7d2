// Uploads the files of messages: in the background, several at once, and on after a lost connection or a reload.

import { backoffDelay } from "./backoff.js";
import { RequestError } from "./connection.js";
import { TypedEventTarget } from "./typed_event_target.js";
import { randomUuid } from "./uuid.js";

/** @import { OutboxEntry } from "./outbox.js" */

/** Number of files that are uploaded at once. */
const PARALLEL = 3;

/** @typedef {{id: string, url: string}} UploadPlace where the server receives the bytes */

/**
 * @typedef {object} FileFacts what is known of a file before it is uploaded
 * @property {string} key unique in all browsers
 * @property {string} name
 * @property {number} size in bytes
 * @property {string} alt the alternative text
 * @property {number} [width] of a picture that the browser can show
 * @property {number} [height]
 */

/**
 * @typedef {object} UploadFields
 * @property {Blob} file
 * @property {number} addedAt milliseconds; unique in a tab, so that it is also the order
 * @property {string} place the message box that it is attached to, or the client id of its message
 * @property {string} tab the tab that uploads it
 * @property {UploadPlace | null} upload
 * @property {boolean} isComplete
 */

/** @typedef {FileFacts & UploadFields} StoredUpload what survives a reload */

/**
 * @typedef {object} UploadState
 * @property {number} sent bytes that the server has
 * @property {string | null} error why it failed for good
 * @property {boolean} isKept whether it survives a reload
 */

/** @typedef {StoredUpload & UploadState} Upload */

/**
 * @typedef {object} UploadStorage keeps files in the browser
 * @property {() => Promise<{uploads: StoredUpload[], isOpen: (tab: string) => boolean}>} load return the uploads of this
 *   tab and of tabs that were closed, and which tabs are open
 * @property {(upload: StoredUpload) => Promise<void>} put
 * @property {(key: string) => Promise<void>} delete
 */

/**
 * @typedef {object} UploadServer
 * @property {(name: string, size: number) => Promise<UploadPlace>} create
 * @property {(file: Blob, url: string, options: {onProgress: (sent: number) => void, signal: AbortSignal}) => Promise<void>} send
 *   throws a `RequestError` if the server refuses
 * @property {(url: string) => void} cancel
 */

/** @typedef {{upload: string, alt: string}} FileReference a file as a new message names it */

/** @typedef {{references: FileReference[] | null, problem: string | null}} EntryFiles */

const LOST = "The file was lost when the page was closed. Discard the message and attach it again.";

/**
 * Emits `change` with the place of an upload whenever something about it has changed, and `settled` when some are
 * complete, or have failed.
 *
 * @extends {TypedEventTarget<{change: {place: string}, settled: void}>}
 */
export class Uploads extends TypedEventTarget {
  #server;
  #storage;
  #tab;
  /** @type {Map<string, Upload>} in the order in which they were added */
  #uploads = new Map();
  /** @type {Map<string, AbortController>} of the uploads that are running */
  #running = new Map();
  /** @type {Set<() => void>} end the pauses before further attempts */
  #pauses = new Set();
  /** @type {Set<string>} keys of files of messages that were only in the memory of tabs that were closed */
  #lost = new Set();
  #isLoaded = false;

  /**
   * @param {UploadServer} server
   * @param {UploadStorage} storage
   * @param {string} tab
   */
  constructor(server, storage, tab) {
    super();
    this.#server = server;
    this.#storage = storage;
    this.#tab = tab;
  }

  /**
   * Continue what was begun before the page was loaded.
   *
   * @param {OutboxEntry[]} entries the messages in the outbox
   */
  async load(entries) {
    // Without the storage, nothing was kept, and nothing is known of other tabs.
    const { uploads, isOpen } = await this.#storage.load().catch(() => ({ uploads: [], isOpen: () => true }));
    for (const upload of uploads) this.#restore(upload);
    for (const { tab = "", files = [] } of entries) {
      const isGone = tab === this.#tab || !isOpen(tab);
      for (const { key } of files) if (isGone && !this.#uploads.has(key)) this.#lost.add(key);
    }
    this.#isLoaded = true;
    this.removeOthers(entries);
    for (const place of new Set(uploads.map((upload) => upload.place))) this.emit("change", { place });
    this.emit("settled");
    this.#startNext();
  }

  /**
   * Return the uploads of a message box or of a message, in order.
   *
   * @param {string} place
   */
  list(place) {
    return [...this.#uploads.values()].filter((upload) => upload.place === place);
  }

  /** @param {string} key */
  find(key) {
    return this.#uploads.get(key);
  }

  /** Name this tab in an entry of the outbox: another one does not have its files. */
  get tab() {
    return this.#tab;
  }

  /** Whether closing the page would lose a file. */
  get hasUnkept() {
    return [...this.#uploads.values()].some((upload) => !upload.isKept && !upload.error);
  }

  /**
   * Upload a file, and return its key.
   *
   * @param {string} place the message box that it is attached to
   * @param {Blob} file
   * @param {string} name
   */
  add(place, file, name) {
    const key = randomUuid();
    const addedAt = Math.max(Date.now(), ...[...this.#uploads.values()].map((upload) => upload.addedAt + 1));
    const state = { tab: this.#tab, upload: null, isComplete: false, sent: 0, error: null, isKept: true };
    this.#uploads.set(key, { key, name, size: file.size, alt: "", file, addedAt, place, ...state });
    this.#keep(key);
    this.emit("change", { place });
    this.#startNext();
    return key;
  }

  /**
   * Add what else is known of a file: the alternative text, or the size of a picture.
   *
   * @param {string} key
   * @param {Partial<Pick<FileFacts, "alt" | "width" | "height">>} facts
   */
  describe(key, facts) {
    const upload = this.#uploads.get(key);
    if (!upload) return;
    Object.assign(upload, facts);
    this.#keep(key);
    this.emit("change", { place: upload.place });
  }

  /**
   * Try to upload a file again that the server has refused.
   *
   * @param {string} key
   */
  retry(key) {
    const upload = this.#uploads.get(key);
    if (!upload) return;
    upload.error = null;
    this.emit("change", { place: upload.place });
    this.#startNext();
  }

  /**
   * Remove a file, also from the server.
   *
   * @param {string} key
   */
  cancel(key) {
    const upload = this.#uploads.get(key);
    if (!upload) return;
    if (upload.upload) this.#server.cancel(upload.upload.url);
    this.#remove(upload);
  }

  /**
   * Make the files of a message box those of a message, and return what its entry in the outbox has of them.
   *
   * @param {string} place
   * @param {string} clientId
   * @returns {FileFacts[]}
   */
  take(place, clientId) {
    const taken = this.list(place);
    for (const upload of taken) {
      upload.place = clientId;
      this.#keep(upload.key);
    }
    this.emit("change", { place });
    return taken.map(({ key, name, size, alt, width, height }) => ({
      ...{ key, name, size, alt },
      ...(width ? { width, height } : {}),
    }));
  }

  /**
   * Return what a message says about its files, once all are complete, or the problem of one that cannot be uploaded.
   *
   * @param {Pick<OutboxEntry, "files">} entry
   * @returns {EntryFiles}
   */
  findReferences({ files = [] }) {
    const references = [];
    for (const { key, name } of files) {
      const upload = this.#uploads.get(key);
      const error = this.#lost.has(key) ? LOST : upload?.error;
      if (error) return { references: null, problem: `“${name}”: ${error}` };
      if (upload?.isComplete && upload.upload) references.push({ upload: upload.upload.id, alt: upload.alt });
    }
    return { references: references.length === files.length ? references : null, problem: null };
  }

  /**
   * Wait until the files of a message box are uploaded, as far as they are there then. Returns what a message says about
   * them, or the problem of one that cannot be uploaded.
   *
   * @param {string} place
   * @param {AbortSignal} signal ends the wait
   * @returns {Promise<EntryFiles>}
   */
  async waitForReferences(place, signal) {
    const ended = new AbortController();
    const options = { signal: ended.signal };
    /** @type {EntryFiles} */
    const found = await new Promise((resolve) => {
      const check = () => {
        const files = this.findReferences({ files: this.list(place) });
        if (files.references || files.problem || signal.aborted) resolve(files);
      };
      this.on("change", check, options);
      signal.addEventListener("abort", check, options);
      check();
    });
    ended.abort();
    return found;
  }

  /**
   * Remove the files of a message box that were sent. They stay on the server.
   *
   * @param {string} place
   * @param {FileReference[]} references
   */
  removeSent(place, references) {
    const ids = new Set(references.map((reference) => reference.upload));
    for (const upload of this.list(place)) if (ids.has(upload.upload?.id ?? "")) this.#remove(upload);
  }

  /**
   * Upload the files of a message again that has failed, as far as the server does not have them.
   *
   * @param {Pick<OutboxEntry, "files">} entry
   */
  retryEntry({ files = [] }) {
    for (const { key } of files) {
      const upload = this.#uploads.get(key);
      if (!upload) continue;
      upload.isComplete = false;
      this.retry(key);
    }
  }

  /**
   * Remove the files of messages that have left the outbox: they were sent or discarded.
   *
   * @param {OutboxEntry[]} entries
   */
  removeOthers(entries) {
    if (!this.#isLoaded) return;
    const clientIds = new Set(entries.map((entry) => entry.client_id));
    for (const upload of [...this.#uploads.values()])
      if (!isBoxPlace(upload.place) && !clientIds.has(upload.place)) this.#remove(upload);
  }

  /** Do not wait before the next attempt: the connection is back. */
  wake() {
    for (const end of this.#pauses) end();
  }

  /** Remove what the person has attached and not sent. */
  forget() {
    for (const upload of [...this.#uploads.values()]) if (isBoxPlace(upload.place)) this.#remove(upload);
  }

  /** @param {StoredUpload} upload */
  #restore(upload) {
    const sent = upload.isComplete ? upload.size : 0;
    this.#uploads.set(upload.key, { ...upload, tab: this.#tab, sent, error: null, isKept: true });
    if (upload.tab !== this.#tab) this.#keep(upload.key);
  }

  /** @param {Upload} upload */
  #remove({ key, place }) {
    this.#uploads.delete(key);
    this.#running.get(key)?.abort();
    this.#storage.delete(key).catch(() => null);
    this.emit("change", { place });
    this.#startNext();
  }

  /** @param {string} key */
  async #keep(key) {
    const upload = /** @type {Upload} */ (this.#uploads.get(key));
    const stored = toStored(upload);
    try {
      await this.#storage.put(stored);
      // It was removed meanwhile.
      if (!this.#uploads.has(key)) await this.#storage.delete(key);
    } catch {
      upload.isKept = false;
      this.emit("change", { place: upload.place });
    }
  }

  #startNext() {
    for (const upload of this.#uploads.values()) {
      if (this.#running.size >= PARALLEL) return;
      if (!upload.isComplete && !upload.error && !this.#running.has(upload.key)) this.#run(upload);
    }
  }

  /** @param {Upload} upload */
  async #run(upload) {
    const controller = new AbortController();
    this.#running.set(upload.key, controller);
    await this.#upload(upload, controller.signal);
    this.#running.delete(upload.key);
    this.emit("change", { place: upload.place });
    this.emit("settled");
    this.#startNext();
  }

  /**
   * Upload a file, with as many attempts as it takes.
   *
   * @param {Upload} upload
   * @param {AbortSignal} signal
   */
  async #upload(upload, signal) {
    let failures = 0;
    const onProgress = (/** @type {number} */ sent) => {
      failures = 0;
      upload.sent = sent;
      this.emit("change", { place: upload.place });
    };
    while (!signal.aborted && !upload.isComplete && !upload.error) {
      try {
        await this.#attempt(upload, onProgress, signal);
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        this.#onFailure(upload, error);
        if (!upload.error) await this.#pause(error, failures);
      }
    }
  }

  /**
   * @param {Upload} upload
   * @param {(sent: number) => void} onProgress
   * @param {AbortSignal} signal
   */
  async #attempt(upload, onProgress, signal) {
    if (!upload.upload) {
      const { id, url } = await this.#server.create(upload.name, upload.size);
      upload.upload = { id, url };
      if (signal.aborted) return this.#server.cancel(url);
      this.#keep(upload.key);
    }
    await this.#server.send(upload.file, upload.upload.url, { onProgress, signal });
    if (signal.aborted) return;
    upload.isComplete = true;
    upload.sent = upload.size;
    this.#keep(upload.key);
  }

  /**
   * @param {Upload} upload
   * @param {unknown} error
   */
  #onFailure(upload, error) {
    if (!(error instanceof RequestError)) return;
    // The server has removed what was begun: begin again.
    if (upload.upload && error.code === "not_found") {
      upload.upload = null;
      upload.sent = 0;
    } else if (error.isPermanent) {
      upload.error = error.message;
    }
  }

  /**
   * @param {unknown} error
   * @param {number} failures
   */
  async #pause(error, failures) {
    const retryAfterMs = error instanceof RequestError ? error.retryAfterMs : 0;
    await new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#pauses.delete(end);
        resolve(null);
      };
      const timer = setTimeout(end, Math.max(backoffDelay(failures), retryAfterMs));
      this.#pauses.add(end);
    });
  }
}

/**
 * Return what survives a reload.
 *
 * @param {Upload} upload
 * @returns {StoredUpload}
 */
function toStored({ key, name, size, alt, width, height, file, addedAt, place, tab, upload, isComplete }) {
  return { key, name, size, alt, width, height, file, addedAt, place, tab, upload, isComplete };
}

/** The places of message boxes have prefixes; client ids have none. */
const BOX = "box:";

/**
 * Return the name of a message box as a place of files.
 *
 * @param {{conversation: string, thread: number | null}} box
 */
export const boxPlace = ({ conversation, thread }) => `${BOX}${conversation}${thread === null ? "" : `:${thread}`}`;

/**
 * Return whether a place is a message box, and not a message.
 *
 * @param {string} place
 */
export const isBoxPlace = (place) => place.startsWith(BOX);
