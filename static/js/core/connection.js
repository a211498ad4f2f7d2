// The page's connection to the server: its state, reconnecting, and requests with acknowledgements.

import { backoffDelay } from "./backoff.js";

/** @import { Socket } from "socket.io-client" */
/** @import { ErrorPayload, Requests, ServerEvents } from "../protocol.js" */

/** @typedef {"connecting" | "connected" | "restarting" | "offline" | "signed-out"} ConnectionState */

export const REQUEST_TIMEOUT_MS = 10_000;
export const MAX_RECONNECT_DELAY_MS = 5_000;

/** Codes of errors that every retry would return again (docs/protocol.md). */
const PERMANENT_CODES = new Set([
  "invalid",
  "invalid_conversation",
  "not_text",
  "empty",
  "too_long",
  "bad_characters",
  "too_complex",
  "invalid_reply",
  "thread_removed",
  "invalid_upload",
  "file_too_large",
  "quota_exceeded",
  "forbidden",
  "not_found",
  "conflict",
  "archived",
]);

/** The server responded to a request with an error. */
export class RequestError extends Error {
  /** @param {ErrorPayload} [error] */
  constructor({ code = "internal", message = "The server could not do this.", retry_after: seconds = 0 } = {}) {
    super(message);
    this.code = code;
    this.isPermanent = PERMANENT_CODES.has(code);
    this.retryAfterMs = seconds * 1000;
  }
}

/**
 * Return the text to show for an error that `Connection.request` threw.
 *
 * @param {unknown} error
 */
export const describeError = (error) =>
  error instanceof RequestError ? error.message : "The server did not respond. Try again when the page is connected.";

/**
 * The page's only socket. "signed-out" is final: another account may sign in with this browser next.
 */
export class Connection {
  /** @type {ConnectionState} */
  state = "connecting";
  #socket;
  /** @type {Set<(state: ConnectionState) => void>} */
  #stateListeners = new Set();
  #rejections = 0;
  #restartDelayMs = 0;

  /** @param {Socket} socket */
  constructor(socket) {
    this.#socket = socket;
    socket.on("connect", () => this.#onConnect());
    socket.on("disconnect", () => this.#onConnectionLost());
    socket.on("connect_error", ({ message }) =>
      message === "signed_out" ? this.#signOut() : this.#onConnectionLost(),
    );
    socket.on("signed_out", () => this.#signOut());
    socket.on("restarting", ({ reconnect_after: delayMs }) => {
      this.#restartDelayMs = delayMs;
    });
  }

  get isConnected() {
    return this.state === "connected";
  }

  /**
   * Register a listener for an event from the server.
   *
   * @template {keyof ServerEvents} Name
   * @param {Name} event
   * @param {(payload: ServerEvents[Name]) => void} listener
   * @param {{signal?: AbortSignal}} [options] the signal removes the listener
   */
  on(event, listener, { signal } = {}) {
    this.#socket.on(/** @type {string} */ (event), listener);
    signal?.addEventListener("abort", () => this.#socket.off(/** @type {string} */ (event), listener));
  }

  /**
   * Call `listener` with the current state, and again after each change.
   *
   * @param {(state: ConnectionState) => void} listener
   * @param {{signal?: AbortSignal}} [options] the signal removes the listener
   */
  watchState(listener, { signal } = {}) {
    this.#stateListeners.add(listener);
    signal?.addEventListener("abort", () => this.#stateListeners.delete(listener));
    listener(this.state);
  }

  /**
   * Send an event and return its acknowledgement. Throws a `RequestError`, or another error if none arrived.
   *
   * @template {keyof Requests} Name
   * @param {Name} event
   * @param {Requests[Name]["payload"]} payload
   * @returns {Promise<Requests[Name]["ack"]>}
   */
  async request(event, payload) {
    if (!this.isConnected) throw new Error("not connected");
    const ack = await this.#socket.timeout(REQUEST_TIMEOUT_MS).emitWithAck(event, payload);
    if (ack?.ok) return ack;
    const error = new RequestError(ack?.error);
    if (error.code === "signed_out") this.#signOut();
    throw error;
  }

  #onConnect() {
    this.#rejections = 0;
    this.#restartDelayMs = 0;
    this.#setState("connected");
  }

  #onConnectionLost() {
    if (this.state === "signed-out") return;
    if (this.#restartDelayMs) return this.#waitForRestart();
    this.#setState("offline");
    // Socket.IO reconnects after a network failure, but not after the server has rejected the connection.
    if (!this.#socket.active) this.#connectAfter(backoffDelay(++this.#rejections, MAX_RECONNECT_DELAY_MS));
  }

  /** The server assigned each client its own delay, so that they do not all reconnect at once. */
  #waitForRestart() {
    this.#setState("restarting");
    // Keeps Socket.IO from reconnecting earlier.
    this.#socket.disconnect();
    this.#connectAfter(this.#restartDelayMs);
    this.#restartDelayMs = 0;
  }

  /** @param {number} delayMs */
  #connectAfter(delayMs) {
    setTimeout(() => this.#socket.connect(), delayMs);
  }

  #signOut() {
    this.#setState("signed-out");
    this.#socket.disconnect();
  }

  /** @param {ConnectionState} state */
  #setState(state) {
    if (this.state === state) return;
    this.state = state;
    for (const listener of this.#stateListeners) listener(state);
  }
}
