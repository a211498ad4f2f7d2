// Tracks who is typing. The server sends no event when somebody stops: an entry expires.

import { TypedEventTarget } from "./typed_event_target.js";

const LIFETIME_MS = 5_000;

/**
 * Emits `change`.
 *
 * @extends {TypedEventTarget<{change: void}>}
 */
export class TypingUsers extends TypedEventTarget {
  /** @type {Map<number, {name: string, timer: ReturnType<typeof setTimeout>}>} */
  #users = new Map();

  get names() {
    return [...this.#users.values()].map(({ name }) => name);
  }

  /** @param {{id: number, name: string}} user */
  add({ id, name }) {
    clearTimeout(this.#users.get(id)?.timer);
    this.#users.set(id, { name, timer: setTimeout(() => this.remove(id), LIFETIME_MS) });
    this.emit("change");
  }

  /** @param {number | undefined} id */
  remove(id) {
    if (id === undefined) return;
    clearTimeout(this.#users.get(id)?.timer);
    if (this.#users.delete(id)) this.emit("change");
  }

  clear() {
    for (const id of [...this.#users.keys()]) this.remove(id);
  }
}

/** @param {string[]} names */
export function describeTyping(names) {
  if (names.length === 0) return "";
  if (names.length === 1) return `${names[0]} is typing…`;
  if (names.length === 2) return `${names[0]} and ${names[1]} are typing…`;
  return "Several people are typing…";
}
