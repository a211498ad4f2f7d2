// Drafts in this window: each message box keeps its own on the server, and the sidebar marks where there are some.

import { DraftSync } from "./core/draft_sync.js";
import { sleep } from "./core/backoff.js";
import { cloneTemplate, find } from "./dom.js";

/** @import { Connection } from "./core/connection.js" */
/** @import { FallbackStorage } from "./core/fallback_storage.js" */
/** @import { Draft } from "./protocol.js" */
/** @import { Screen } from "./screen.js" */
/** @import { Sidebar } from "./sidebar.js" */

/** Time in which drafts are saved before the person is signed out. */
const SIGN_OUT_MS = 1_000;

/**
 * @typedef {object} Place
 * @property {string} conversation
 * @property {number | null} thread the number of the first message of the thread that the draft belongs to
 */

/** In the storage of the tab, each followed by the id of the person and the name of the place. */
const PREFIXES = { text: "chatapp:draft:", base: "chatapp:draft-base:", reply: "chatapp:reply:" };

/**
 * @typedef {object} DraftKeys the keys of a place in the storage
 * @property {string} text what is written
 * @property {string} base the text of the server that it is based on
 * @property {string} reply the number of the message that it replies to
 */

/** The drafts of one person. What the server does not have yet is in the storage of the tab. */
export class Drafts {
  storage;
  #connection;
  #userId;
  /** @type {Set<DraftSync>} */
  #open = new Set();
  /** @type {Map<string, Draft>} what the server has, by the names of the places, if that is newer than a page */
  #known = new Map();

  /**
   * @param {FallbackStorage} storage of the tab
   * @param {Connection} connection
   * @param {number} userId
   */
  constructor(storage, connection, userId) {
    this.storage = storage;
    this.#connection = connection;
    this.#userId = userId;
    this.#removeOfOthers();
    document.addEventListener("visibilitychange", () => document.hidden && this.#saveAll());
    window.addEventListener("pagehide", () => this.#saveAll());
    find(document, "[data-sign-out]").addEventListener("submit", (event) => this.#onSignOut(event));
    connection.watchState((state) => state === "signed-out" && this.forget());
    connection.on("draft_changed", (changed) => this.#known.set(nameOf(changed), changed));
  }

  /**
   * Return the keys of a place in the storage.
   *
   * @param {Place} place
   * @returns {DraftKeys}
   */
  keysOf(place) {
    const name = `${this.#userId}:${nameOf(place)}`;
    return { text: PREFIXES.text + name, base: PREFIXES.base + name, reply: PREFIXES.reply + name };
  }

  /**
   * Keep the text of a message box. Its page may be one that was shown before, with an older draft.
   *
   * @param {{text: string}} field
   * @param {Place} place
   * @param {{stored: Draft, maxChars: number, signal: AbortSignal}} options
   */
  open(field, place, options) {
    const [connection, storage, keys] = [this.#connection, this.storage, this.keysOf(place)];
    const known = this.#known.get(nameOf(place));
    const isNewer = known && known.version > options.stored.version;
    // The next draft after one that was removed is based on none.
    const stored = isNewer ? { content: known.content, version: known.content ? known.version : 0 } : options.stored;
    if (isNewer) field.text = stored.content;
    const onSaved = (/** @type {Draft} */ draft) => this.#known.set(nameOf(place), draft);
    const sync = new DraftSync({ field, connection, storage, keys, ...place, ...options, stored, onSaved });
    this.#open.add(sync);
    options.signal.addEventListener("abort", () => this.#open.delete(sync));
    return sync;
  }

  /** The names of the places with a text that the server does not have, and whether it is empty. */
  get unsaved() {
    const prefix = `${PREFIXES.text}${this.#userId}:`;
    return new Map(this.storage.keys(prefix).map((key) => [key.slice(prefix.length), !this.storage.get(key)]));
  }

  async #saveAll() {
    await Promise.all([...this.#open].map((sync) => sync.save()));
  }

  /** @param {SubmitEvent} event */
  async #onSignOut(event) {
    const form = /** @type {HTMLFormElement} */ (event.target);
    event.preventDefault();
    await Promise.race([this.#saveAll(), sleep(SIGN_OUT_MS)]);
    form.submit();
  }

  /** Remove from the browser what the person has begun to write. */
  forget() {
    for (const prefix of Object.values(PREFIXES))
      for (const key of this.storage.keys(`${prefix}${this.#userId}:`)) this.storage.delete(key);
  }

  /** A page that was left while its person signed out may not have noticed that this succeeded. */
  #removeOfOthers() {
    for (const prefix of Object.values(PREFIXES))
      for (const key of this.storage.keys(prefix))
        if (!key.startsWith(`${prefix}${this.#userId}:`)) this.storage.delete(key);
  }
}

/**
 * Mark the conversations of the sidebar with a draft, except the current one, and the list of threads.
 *
 * @param {Drafts} drafts
 * @param {Sidebar} sidebar
 * @param {Screen} screen
 * @param {Connection} connection
 */
export function markDrafts(drafts, sidebar, screen, connection) {
  let stored = readStored(sidebar);

  function render() {
    const names = new Set(stored);
    for (const [name, isEmpty] of drafts.unsaved) names[isEmpty ? "delete" : "add"](name);
    names.delete(nameOf(placeOf(screen)));
    for (const entry of sidebar.entries) mark(entry, names.has(entry.dataset.entry ?? ""));
    const threads = sidebar.lists.querySelector('[data-inbox="threads"]')?.closest("a");
    if (threads) mark(threads, [...names].some(isOfThread));
  }

  connection.on("draft_changed", (changed) => {
    const name = nameOf(changed);
    if (stored.has(name) === Boolean(changed.content)) return;
    stored[changed.content ? "add" : "delete"](name);
    // The response that is on its way may be from before.
    if (sidebar.isFetching) sidebar.refresh();
    render();
  });
  sidebar.on("refreshed", () => {
    stored = readStored(sidebar);
    render();
  });
  screen.on("shown", render);
  render();
}

/** @param {Place} place */
const nameOf = ({ conversation, thread }) => `${conversation}${thread === null ? "" : `:thread:${thread}`}`;

/** @param {string} name */
const isOfThread = (name) => name.includes(":thread:");

/**
 * The names of the places where the server has drafts.
 *
 * @param {Sidebar} sidebar
 */
function readStored({ lists }) {
  const names = lists.querySelector("[data-drafts]")?.getAttribute("data-drafts") ?? "";
  return new Set(names.split(" ").filter(Boolean));
}

/**
 * @param {Screen} screen
 * @returns {Place}
 */
function placeOf({ page }) {
  const { conversation = "", thread } = page.main.dataset;
  return { conversation, thread: thread === undefined ? null : Number(thread) };
}

/**
 * @param {Element} link
 * @param {boolean} hasDraft
 */
function mark(link, hasDraft) {
  if (hasDraft === link.matches(".has-draft")) return;
  link.classList.toggle("has-draft", hasDraft);
  if (hasDraft) link.querySelector(".unread-badge")?.before(cloneTemplate("draft-mark"));
  else link.querySelector(".draft-mark")?.remove();
}
