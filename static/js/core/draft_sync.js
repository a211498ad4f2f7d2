// Keeps the text of one message box on the server, and merges what other devices of the person have written.

import { RequestError } from "./connection.js";
import { mergeDrafts } from "./draft_merge.js";
import { randomUuid } from "./uuid.js";

/** @import { Connection } from "./connection.js" */
/** @import { FallbackStorage } from "./fallback_storage.js" */
/** @import { Draft } from "../protocol.js" */

/** How long the person pauses before the text is saved. */
export const PAUSE_MS = 1_000;

/** Time after which a save that has failed is tried again. */
export const RETRY_MS = 15_000;

/**
 * @typedef {object} Options
 * @property {{text: string}} field the message box
 * @property {Pick<Connection, "isConnected" | "on" | "request" | "watchState">} connection
 * @property {FallbackStorage} storage keeps what is not saved yet
 * @property {{text: string, base: string}} keys of the text in the storage, and of the one that it is based on
 * @property {string} conversation
 * @property {number | null} thread
 * @property {Draft} stored what the page was rendered with
 * @property {number} maxChars
 * @property {AbortSignal} signal ends the page
 * @property {(draft: Draft) => void} onSaved
 */

/**
 * The text is based on the last draft that this device knows of the server. As long as the two differ, the storage has
 * both, and the text is saved after a pause in typing. If another device was faster, the server responds with its draft:
 * the two are merged, and the result is saved.
 */
export class DraftSync {
  /**
   * The client id of the message that the text will become. After that was stored, a late save changes nothing. It is
   * never kept: another window with the same text must not send its message as this one.
   */
  clientId = randomUuid();
  #options;
  /** @type {Draft} */
  #base;
  /** The highest version of an event. Events may arrive late, or twice. */
  #lastVersion = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #isSaving = false;
  /** @type {Draft | null} the last event that arrived during a save */
  #waiting = null;
  /** Whether the server may have the text under its client id. */
  #mayBeStored = false;
  /** Whether the text may have changed on the server without an event. */
  #isStale = false;
  #wasConnected = false;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    const { connection, storage, keys, stored, conversation, thread, signal } = options;
    this.#base = stored;
    const kept = storage.get(keys.text);
    if (kept !== null) {
      this.#mayBeStored = true;
      options.field.text = mergeDrafts(storage.get(keys.base) ?? "", kept, stored.content);
    }
    this.#keep();
    connection.on(
      "draft_changed",
      (changed) => changed.conversation === conversation && changed.thread === thread && this.#onChanged(changed),
      { signal },
    );
    connection.watchState(
      (state) => {
        if (state !== "connected") return void (this.#isStale = true);
        this.#schedule();
        // A page that was just loaded: the last one in the window may have saved its text after this one was rendered.
        if (!this.#wasConnected) this.refresh();
        this.#wasConnected = true;
      },
      { signal },
    );
    signal.addEventListener("abort", () => this.save());
  }

  /** The person has typed. */
  onInput() {
    this.#keep();
    this.#schedule();
  }

  /** The person comes to the message box: after an interruption the text may have changed on another device. */
  async refresh() {
    const { connection } = this.#options;
    if (!this.#isStale || !connection.isConnected) return;
    this.#isStale = false;
    const before = this.#lastVersion;
    try {
      const { draft } = await connection.request("draft", this.#place);
      // An event that has arrived meanwhile is newer.
      if (!this.#isSaving && before === this.#lastVersion) this.#accept(draft);
    } catch {
      this.#isStale = true;
    }
  }

  /** Return what a message has to say about its draft, when the text becomes that message. */
  take() {
    const { version } = this.#base;
    const sent = { client_id: this.clientId, ...(version || this.#mayBeStored ? { draft: version } : {}) };
    this.clientId = randomUuid();
    this.#mayBeStored = false;
    return sent;
  }

  /** Save the text now, if the server does not have it. */
  async save() {
    clearTimeout(this.#timer);
    if (!this.#isDue) return;
    this.#isSaving = true;
    this.#mayBeStored = true;
    let retryAfterMs = PAUSE_MS;
    try {
      await this.#send(this.#options.field.text);
    } catch (error) {
      retryAfterMs = error instanceof RequestError && error.isPermanent ? Infinity : RETRY_MS;
    }
    this.#isSaving = false;
    this.#keep();
    if (this.#waiting) this.#onChanged(this.#waiting);
    this.#waiting = null;
    if (retryAfterMs < Infinity) this.#schedule(retryAfterMs);
  }

  get #isDue() {
    const { connection, field, maxChars } = this.#options;
    const isChanged = field.text !== this.#base.content && field.text.length <= maxChars;
    return isChanged && connection.isConnected && !this.#isSaving;
  }

  /** @param {string} content */
  async #send(content) {
    const request = { ...this.#place, content, version: this.#base.version, client_id: this.clientId };
    const { draft, saved } = await this.#options.connection.request("save_draft", request);
    // Without text there is no draft any more, and the next one is based on none.
    if (!saved) return this.#merge(draft);
    this.#base = { content, version: draft.version };
    this.#options.onSaved(this.#base);
  }

  get #place() {
    const { conversation, thread } = this.#options;
    return { conversation, ...(thread === null ? {} : { thread }) };
  }

  /** @param {Draft} changed */
  #onChanged({ content, version }) {
    if (this.#isSaving) {
      if (version > (this.#waiting?.version ?? 0)) this.#waiting = { content, version };
      return;
    }
    if (version <= Math.max(this.#lastVersion, this.#base.version)) return;
    this.#lastVersion = version;
    // The server has no draft any more: the next one is based on none.
    this.#accept({ content, version: content ? version : 0 });
  }

  /**
   * Show what the server has, unless the person is writing: then the next save is refused, and the two are merged.
   *
   * @param {Draft} draft
   */
  #accept(draft) {
    const { field } = this.#options;
    if (field.text !== this.#base.content && field.text !== draft.content) return;
    this.#base = draft;
    if (field.text !== draft.content) field.text = draft.content;
    this.#keep();
  }

  /** @param {Draft & {client_id: string | null}} draft */
  #merge({ client_id: clientId, ...draft }) {
    const { field } = this.#options;
    // An earlier text of this device, if the acknowledgement was lost.
    const isOwn = clientId === this.clientId;
    const merged = isOwn ? field.text : mergeDrafts(this.#base.content, field.text, draft.content);
    this.#base = draft;
    if (merged !== field.text) field.text = merged;
  }

  /** Keep in the browser what the server does not have, and what it is based on. */
  #keep() {
    const { field, storage, keys } = this.#options;
    if (field.text === this.#base.content) {
      for (const key of [keys.text, keys.base]) storage.delete(key);
    } else {
      storage.set(keys.text, field.text);
      storage.set(keys.base, this.#base.content);
    }
  }

  #schedule(delayMs = PAUSE_MS) {
    clearTimeout(this.#timer);
    const { field, signal } = this.#options;
    if (signal.aborted || field.text === this.#base.content) return;
    this.#timer = setTimeout(() => this.save(), delayMs);
  }
}
