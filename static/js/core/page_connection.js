// The connection as a page of the window uses it, which may be put away and shown again.

/** @import { Requests, ServerEvents } from "../protocol.js" */
/** @import { Connection, ConnectionState } from "./connection.js" */

/**
 * While the page is put away it receives no events, as if it were offline. When it is shown again, its modules do what
 * they do after a reconnect: the timeline requests what follows its cursor.
 */
export class PageConnection {
  #connection;
  #signal;
  #isPaused = false;
  /** @type {((state: ConnectionState) => void)[]} */
  #stateListeners = [];

  /**
   * @param {Pick<Connection, "isConnected" | "on" | "request" | "state" | "watchState">} connection
   * @param {AbortSignal} signal ends the page
   */
  constructor(connection, signal) {
    this.#connection = connection;
    this.#signal = signal;
    connection.watchState(() => this.#isPaused || this.#reportState(), { signal });
  }

  get isConnected() {
    return !this.#isPaused && this.#connection.isConnected;
  }

  /** @returns {ConnectionState} */
  get state() {
    return this.#isPaused ? "offline" : this.#connection.state;
  }

  /** Put the page away. */
  pause() {
    this.#isPaused = true;
    this.#reportState();
  }

  /** Show the page again. */
  resume() {
    this.#isPaused = false;
    this.#reportState();
  }

  /**
   * @template {keyof ServerEvents} Name
   * @param {Name} event
   * @param {(payload: ServerEvents[Name]) => void} listener
   */
  on(event, listener) {
    this.#connection.on(event, (payload) => this.#isPaused || listener(payload), { signal: this.#signal });
  }

  /** @param {(state: ConnectionState) => void} listener */
  watchState(listener) {
    this.#stateListeners.push(listener);
    listener(this.state);
  }

  /**
   * @template {keyof Requests} Name
   * @param {Name} event
   * @param {Requests[Name]["payload"]} payload
   */
  request(event, payload) {
    return this.#connection.request(event, payload);
  }

  #reportState() {
    for (const listener of this.#stateListeners) listener(this.state);
  }
}
