// Who is signed in with this browser. A tab without a connection learns from another tab that somebody else is now.

/** @import { Connection } from "./core/connection.js" */
/** @import { FallbackStorage } from "./core/fallback_storage.js" */

const KEY = "chatapp:person";

/** The person of this window, compared with the one whose window has connected last. */
export class SignedInPerson {
  #storage;
  #id;

  /**
   * @param {FallbackStorage} storage of the browser
   * @param {number} userId
   * @param {Connection} connection
   */
  constructor(storage, userId, connection) {
    this.#storage = storage;
    this.#id = String(userId);
    // Only now: a page that the browser has kept may be that of somebody who has signed out.
    connection.watchState((state) => state === "connected" && storage.set(KEY, this.#id));
  }

  /**
   * Call `listener` when somebody else has signed in, also if this page was frozen meanwhile.
   *
   * @param {() => void} listener
   */
  onReplaced(listener) {
    const check = () => (this.#storage.get(KEY) ?? this.#id) === this.#id || listener();
    window.addEventListener("storage", ({ key }) => key === KEY && check());
    window.addEventListener("pageshow", ({ persisted }) => persisted && check());
    document.addEventListener("visibilitychange", () => document.hidden || check());
  }
}
