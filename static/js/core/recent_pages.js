// The pages that a person has opened last in this browser.

/** @import { FallbackStorage } from "./fallback_storage.js" */

const MAX_RECENT = 30;

export class RecentPages {
  #storage;
  #key;

  /**
   * @param {FallbackStorage} storage
   * @param {number} userId
   */
  constructor(storage, userId) {
    this.#storage = storage;
    this.#key = `chatapp:recent:${userId}`;
  }

  /**
   * Return the paths, the latest first.
   *
   * @returns {string[]}
   */
  list() {
    return this.#storage.get(this.#key)?.split("\n") ?? [];
  }

  /** @param {string} path */
  add(path) {
    const paths = [path, ...this.list().filter((other) => other !== path)];
    this.#storage.set(this.#key, paths.slice(0, MAX_RECENT).join("\n"));
  }

  /** The paths of direct conversations have names of people: nothing is kept after the person has signed out. */
  clear() {
    this.#storage.delete(this.#key);
  }
}
