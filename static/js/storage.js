/**
 * A browser's storage area, with memory for what it refuses: it may be full, or forbidden altogether. What is in
 * memory is lost with the page, which is still better than to fail.
 */
class Keep {
  #area;
  #memory = new Map();

  /** @param {() => Storage} area a function, since already to name a forbidden area throws */
  constructor(area) {
    this.#area = area;
  }

  /** @returns {string | null} */
  read(key) {
    return this.#memory.get(key) ?? this.#attempt((area) => area.getItem(key)) ?? null;
  }

  write(key, text) {
    try {
      this.#area().setItem(key, text);
      this.#memory.delete(key);
    } catch {
      this.#memory.set(key, text);
    }
  }

  remove(key) {
    this.#memory.delete(key);
    this.#attempt((area) => area.removeItem(key));
  }

  /** @returns {string[]} */
  keys(prefix) {
    const stored = this.#attempt((area) => Object.keys(area)) ?? [];
    return [...new Set([...stored, ...this.#memory.keys()])].filter((key) => key.startsWith(prefix));
  }

  #attempt(action) {
    try {
      return action(this.#area());
    } catch {
      return undefined;
    }
  }
}

/** Shared by the tabs, survives a restart of the browser. */
export const localKeep = new Keep(() => localStorage);

/** Of this tab, survives a reload. */
export const tabKeep = new Keep(() => sessionStorage);
