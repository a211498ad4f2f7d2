import { io } from "../vendor/socket.io.esm.min.js";
import { backOff } from "./backoff.js";

const ANSWER_WITHIN = 10_000;
const LONGEST_RECONNECT_DELAY = 5_000;

/** Codes that will be answered again however often one asks (docs/protocol.md). */
const FINAL_CODES = new Set([
  "invalid",
  "invalid_conversation",
  "not_text",
  "empty",
  "too_long",
  "bad_characters",
  "forbidden",
  "not_found",
  "conflict",
  "archived",
]);

/** The server's answer `ok: false`. */
export class Refusal extends Error {
  /** @param {{code?: string, message?: string, retry_after?: number}} [error] */
  constructor({ code = "internal", message = "The server could not do it.", retry_after: seconds = 0 } = {}) {
    super(message);
    this.code = code;
    this.isFinal = FINAL_CODES.has(code);
    this.retryAfter = seconds * 1000;
  }
}

/** What to tell the person of an error that `Connection.ask` threw. */
export const reasonOf = (error) =>
  error instanceof Refusal ? error.message : "The server does not answer. Try again when the page is connected.";

/**
 * The page's one socket. Its state is "connecting", "connected", "restarting", "offline" or "signed-out"; the last one
 * is for good, since whoever signs in next in this browser may be somebody else.
 */
export class Connection {
  state = "connecting";
  #socket;
  #watchers = [];
  #rejections = 0;
  #comeBackAfter = 0;

  constructor(userId) {
    this.#socket = io({
      // The session cookie may meanwhile be another account's: the server compares, and refuses with "signed_out".
      auth: { user_id: userId },
      transports: ["websocket", "polling"],
      tryAllTransports: true,
      timeout: ANSWER_WITHIN,
      reconnectionDelay: 500,
      reconnectionDelayMax: LONGEST_RECONNECT_DELAY,
    });
    this.#socket.on("connect", () => this.#connected());
    this.#socket.on("disconnect", () => this.#lost());
    this.#socket.on("connect_error", (error) => (error.message === "signed_out" ? this.#signedOut() : this.#lost()));
    this.#socket.on("signed_out", () => this.#signedOut());
    this.#socket.on("restarting", ({ reconnect_after: delay }) => {
      this.#comeBackAfter = delay;
    });
  }

  get isConnected() {
    return this.state === "connected";
  }

  /** Hear of an event from the server. */
  on(event, listener) {
    this.#socket.on(event, listener);
  }

  /** Hear of the state, now and whenever it changes. */
  watch(listener) {
    this.#watchers.push(listener);
    listener(this.state);
  }

  /** Emit and return the acknowledgement. Throws a `Refusal`, or another error where no answer came. */
  async ask(event, payload) {
    if (!this.isConnected) throw new Error("not connected");
    const answer = await this.#socket.timeout(ANSWER_WITHIN).emitWithAck(event, payload);
    if (answer?.ok) return answer;
    const refusal = new Refusal(answer?.error);
    if (refusal.code === "signed_out") this.#signedOut();
    throw refusal;
  }

  #connected() {
    this.#rejections = 0;
    this.#comeBackAfter = 0;
    this.#become("connected");
  }

  #lost() {
    if (this.state === "signed-out") return;
    if (this.#comeBackAfter) return this.#waitForRestart();
    this.#become("offline");
    // The client comes back on its own from a lost network, but not after the server has turned it away.
    if (!this.#socket.active) this.#comeBackIn(backOff(++this.#rejections, LONGEST_RECONNECT_DELAY));
  }

  /** Each client was told another time, so that they do not all come at once. */
  #waitForRestart() {
    this.#become("restarting");
    // However the connection ended: this keeps the client from coming back on its own, and so too early.
    this.#socket.disconnect();
    this.#comeBackIn(this.#comeBackAfter);
    this.#comeBackAfter = 0;
  }

  #comeBackIn(delay) {
    setTimeout(() => this.#socket.connect(), delay);
  }

  #signedOut() {
    this.#become("signed-out");
    this.#socket.disconnect();
  }

  #become(state) {
    if (this.state === state) return;
    this.state = state;
    for (const watcher of this.#watchers) watcher(state);
  }
}
