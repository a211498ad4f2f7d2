// Keeps the files that are being uploaded in the browser's database, so that a reload loses none.

import { isBoxPlace } from "./core/uploads.js";
import { randomUuid } from "./core/uuid.js";

/** @import { FallbackStorage } from "./core/fallback_storage.js" */
/** @import { StoredUpload, UploadStorage } from "./core/uploads.js" */

/** @typedef {{key: string, userId: number, upload: StoredUpload}} StoredRecord */

const DATABASE = "chatapp-uploads";
const STORE = "uploads";
const TAB_KEY = "chatapp:tab";

/** Locks with this prefix are held by open tabs. */
const LOCK = "chatapp:tab:";

/**
 * Return the id of this tab, which a reload keeps. Other tabs notice by a lock that it is open.
 *
 * A duplicated tab has a copy of the storage. So the id is in it only between two pages, and the copy has none.
 *
 * @param {FallbackStorage} tabStorage
 */
export function openTab(tabStorage) {
  const tab = tabStorage.get(TAB_KEY) ?? randomUuid();
  tabStorage.delete(TAB_KEY);
  window.addEventListener("pagehide", () => tabStorage.set(TAB_KEY, tab));
  window.addEventListener("pageshow", () => tabStorage.delete(TAB_KEY));
  // Only in pages with HTTPS, or of this machine.
  navigator.locks?.request(LOCK + tab, () => new Promise(() => null));
  return tab;
}

/**
 * @param {number} userId
 * @param {string} tab
 * @returns {UploadStorage}
 */
export function openUploadStorage(userId, tab) {
  /** @type {Promise<IDBDatabase> | undefined} */
  let opened;

  /**
   * @template T
   * @param {IDBTransactionMode} mode
   * @param {(store: IDBObjectStore) => IDBRequest<T>} action
   */
  async function run(mode, action) {
    opened ??= openDatabase();
    const database = await opened;
    const transaction = database.transaction(STORE, mode);
    const request = action(transaction.objectStore(STORE));
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    return request.result;
  }

  return {
    async load() {
      /** @type {StoredRecord[]} */
      const seen = await run("readonly", (store) => store.getAll());
      // After reading: a tab that has taken uploads over before is open by now.
      const open = await listOpenTabs();
      const isOpen = (/** @type {string} */ other) => open.has(other);
      const left = seen.filter((record) => record.userId === userId && !isOpen(record.upload.tab));
      for (const record of left) await run("readwrite", (store) => takeOver(store, record, tab));
      /** @type {StoredRecord[]} */
      const stored = await run("readonly", (store) => store.getAll());
      const uploads = stored
        .filter((record) => record.userId === userId && record.upload.tab === tab)
        .map((record) => record.upload)
        .sort((a, b) => a.addedAt - b.addedAt);
      // Another person uses the browser: what was not sent is forgotten, as drafts are.
      const others = stored.filter((record) => record.userId !== userId && isBoxPlace(record.upload.place));
      await Promise.all(others.map(({ key }) => run("readwrite", (store) => store.delete(key))));
      return { uploads, isOpen };
    },
    async put(upload) {
      await run("readwrite", (store) => store.put({ key: upload.key, userId, upload }));
    },
    async delete(key) {
      await run("readwrite", (store) => store.delete(key));
    },
  };
}

/**
 * Make an upload of a closed tab one of this tab, unless another one has done so meanwhile.
 *
 * @param {IDBObjectStore} store
 * @param {StoredRecord} seen
 * @param {string} tab
 */
function takeOver(store, seen, tab) {
  const request = store.get(seen.key);
  request.onsuccess = () => {
    /** @type {StoredRecord | undefined} */
    const record = request.result;
    if (record?.upload.tab === seen.upload.tab) store.put({ ...record, upload: { ...record.upload, tab } });
  };
  return request;
}

/** @returns {Promise<IDBDatabase>} */
function openDatabase() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "key" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function listOpenTabs() {
  const { held = [] } = (await navigator.locks?.query()) ?? {};
  return new Set(held.map(({ name = "" }) => name.slice(LOCK.length)));
}
