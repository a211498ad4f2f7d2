// A browser storage area with a fallback in memory.

/**
 * The storage area may be full, or forbidden altogether. What it does not accept is kept in memory and is lost with
 * the page.
 */
export class FallbackStorage {
  #area;
  /** @type {Map<string, string>} */
  #memory = new Map();

  /** @param {() => Storage} area a function, because reading the name of a forbidden area throws */
  constructor(area) {
    this.#area = area;
  }

  /**
   * @param {string} key
   * @returns {string | null}
   */
  get(key) {
    return this.#memory.get(key) ?? this.#attempt((area) => area.getItem(key)) ?? null;
  }

  /**
   * @param {string} key
   * @param {string} value
   */
  set(key, value) {
    try {
      this.#area().setItem(key, value);
      this.#memory.delete(key);
    } catch {
      this.#memory.set(key, value);
    }
  }

  /** @param {string} key */
  delete(key) {
    this.#memory.delete(key);
    this.#attempt((area) => area.removeItem(key));
  }

  /**
   * @param {string} prefix
   * @returns {string[]}
   */
  keys(prefix) {
    const stored = this.#attempt((area) => Object.keys(area)) ?? [];
    return [...new Set([...stored, ...this.#memory.keys()])].filter((key) => key.startsWith(prefix));
  }

  /**
   * @template T
   * @param {(area: Storage) => T} action
   */
  #attempt(action) {
    try {
      return action(this.#area());
    } catch {
      return undefined;
    }
  }
}
