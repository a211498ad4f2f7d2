// Stand-ins for the browser and the server.

import { mock } from "node:test";
import { Uploads } from "../../static/js/core/uploads.js";

/** A storage area like `localStorage`: its keys are its own properties. */
export class FakeStorage {
  isFull = false;

  constructor() {
    Object.defineProperty(this, "isFull", { enumerable: false, writable: true });
  }

  getItem(key) {
    return this[key] ?? null;
  }

  setItem(key, value) {
    if (this.isFull) throw new Error("QuotaExceededError");
    this[key] = value;
  }

  removeItem(key) {
    delete this[key];
  }
}

/**
 * A connection whose acknowledgements the test decides. `handler` receives the event and the payload, and returns the
 * acknowledgement or throws.
 */
export class FakeConnection {
  isConnected = true;
  requests = [];
  #listeners = new Map();
  #stateListeners = new Set();

  constructor(handler = () => ({})) {
    this.handler = handler;
  }

  get state() {
    return this.isConnected ? "connected" : "offline";
  }

  on(event, listener, { signal } = {}) {
    this.#listeners.set(event, listener);
    signal?.addEventListener("abort", () => this.#listeners.delete(event));
  }

  watchState(listener, { signal } = {}) {
    this.#stateListeners.add(listener);
    signal?.addEventListener("abort", () => this.#stateListeners.delete(listener));
    listener(this.state);
  }

  async request(event, payload) {
    this.requests.push(payload);
    return this.handler(event, payload);
  }

  /** Deliver an event from the server. */
  deliver(event, payload) {
    this.#listeners.get(event)?.(payload);
  }

  setConnected(isConnected) {
    this.isConnected = isConnected;
    for (const listener of this.#stateListeners) listener(this.state);
  }
}

/** Use timers that pass only with `tick`, for the duration of a test. */
export function useFakeTimers(test) {
  mock.timers.enable({ apis: ["setTimeout"] });
  test.after(() => mock.timers.reset());
}

/** Let the pending promises settle. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Let time pass for fake timers. */
export async function tick(milliseconds) {
  mock.timers.tick(milliseconds);
  await settle();
}

/** Make the jitter of `backoffDelay` predictable: every delay is its maximum. */
export function disableJitter(test) {
  test.mock.method(Math, "random", () => 1);
}

/** Return a promise together with the functions that settle it. */
export function defer() {
  const deferred = {};
  deferred.promise = new Promise((resolve, reject) => Object.assign(deferred, { resolve, reject }));
  return deferred;
}

/** The uploads of a browser that has none. */
export const noUploads = () => new Uploads({}, { load: async () => ({ uploads: [], isOpen: () => true }) }, "tab");
